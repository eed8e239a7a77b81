//! The facts of V8 that the project relies on. V8 has a new major every four weeks: if one of these fails, the layer for
//! V8 has to follow.

use handleguard_tests::{function, start_v8};
use handleguard_v8::V8;
use handleguard_v8::handleguard::Engine;

#[test]
fn the_number_of_handles_is_exact_across_blocks() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let engine = V8::of(scope);
    let before = engine.handles().unwrap();
    // A block has 1,022 handles.
    for made in 1..=5000 {
        let _ = v8::Number::new(scope, 0.5);
        assert_eq!(engine.handles(), Some(before + made));
    }
    {
        v8::scope!(let inner, scope);
        let _ = v8::Number::new(inner, 0.5);
        assert_eq!(engine.handles(), Some(before + 5001));
    }
    assert_eq!(engine.handles(), Some(before + 5000));
}

#[test]
fn the_level_counts_open_scopes_from_zero() {
    start_v8();
    let mut isolate = v8::Isolate::new(Default::default());
    let engine = V8::of(&isolate);
    assert_eq!(engine.level(), Some(0));
    {
        v8::scope!(let scope, &mut isolate);
        assert_eq!(engine.level(), Some(1));
        for _ in 0..3 {
            v8::scope!(let inner, scope);
            assert_eq!(engine.level(), Some(2));
            v8::escapable_handle_scope!(let escapable, inner);
            assert_eq!(engine.level(), Some(3));
            let _ = escapable;
        }
        assert_eq!(engine.level(), Some(1));
    }
    assert_eq!(engine.level(), Some(0));
}

#[test]
fn two_isolates_have_levels_of_their_own() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    v8::scope!(let outer, &mut first);
    let mut second = v8::Isolate::new(Default::default());
    {
        v8::scope!(let inner, &mut second);
        v8::scope!(let innermost, inner);
        assert_eq!(V8::of(innermost).level(), Some(2));
        assert_eq!(V8::of(outer).level(), Some(1));
    }
    drop(second);
}

#[test]
fn a_callback_from_javascript_stands_higher_than_its_caller() {
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, mut rv: v8::ReturnValue) {
        rv.set_uint32(V8::of(scope).level().unwrap());
    }

    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let native = v8::Function::new(scope, native).unwrap();
    let call = function(scope, "(native) => native()");
    let undefined = v8::undefined(scope).into();
    let level = call.call(scope, undefined, &[native.into()]).unwrap();
    assert!(level.uint32_value(scope).unwrap() > V8::of(scope).level().unwrap());
}

#[test]
fn a_plain_call_leaves_two_handles_and_one_with_a_context_one() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let engine = V8::of(scope);
    let entered = &mut v8::ContextScope::new(scope, context);
    let call = function(entered, "() => 1");
    let undefined = v8::undefined(entered).into();
    call.call(entered, undefined, &[]);
    let before = engine.handles().unwrap();
    for called in 1..=10 {
        call.call_with_context(entered, context, undefined, &[]);
        assert_eq!(engine.handles(), Some(before + called));
    }
}
