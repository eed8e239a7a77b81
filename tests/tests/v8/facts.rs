//! The facts of V8 that the project relies on. V8 has a new major every four weeks: if one of these fails, the layer for
//! V8 has to follow.

use handleguard_tests::{function, start_v8};
use handleguard_v8::{handles, level};

#[test]
fn the_number_of_handles_is_exact_across_blocks() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let before = handles(scope).unwrap();
    // A block has 1,022 handles.
    for made in 1..=5000 {
        let _ = v8::Number::new(scope, 0.5);
        assert_eq!(handles(scope), Some(before + made));
    }
    {
        v8::scope!(let inner, scope);
        let _ = v8::Number::new(inner, 0.5);
        assert_eq!(handles(inner), Some(before + 5001));
    }
    assert_eq!(handles(scope), Some(before + 5000));
}

#[test]
fn the_level_counts_open_scopes_from_zero() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    assert_eq!(level(isolate), Some(0));
    {
        v8::scope!(let scope, isolate);
        assert_eq!(level(scope), Some(1));
        for _ in 0..3 {
            v8::scope!(let inner, scope);
            assert_eq!(level(inner), Some(2));
            v8::scope!(let innermost, inner);
            assert_eq!(level(innermost), Some(3));
        }
        assert_eq!(level(scope), Some(1));
    }
    assert_eq!(level(isolate), Some(0));
}

#[test]
fn two_isolates_have_levels_of_their_own() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    v8::scope!(let outer, &mut first);
    let mut second = v8::Isolate::new(Default::default());
    v8::scope!(let inner, &mut second);
    v8::scope!(let innermost, inner);
    assert_eq!(level(innermost), Some(2));
    assert_eq!(level(outer), Some(1));
}

#[test]
fn a_callback_from_javascript_stands_higher_than_its_caller() {
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, mut rv: v8::ReturnValue) {
        rv.set_uint32(level(scope).unwrap());
    }

    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let native = v8::Function::new(scope, native).unwrap();
    let call = function(scope, "(native) => native()");
    let undefined = v8::undefined(scope).into();
    let inside = call.call(scope, undefined, &[native.into()]).unwrap();
    assert!(inside.uint32_value(scope).unwrap() > level(scope).unwrap());
}

#[test]
fn a_call_leaves_its_result_in_the_callers_scope() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let call = function(scope, "() => 1");
    let undefined = v8::undefined(scope).into();
    let before = handles(scope).unwrap();
    for called in 1..=10 {
        call.call_with_context(scope, context, undefined, &[]);
        assert_eq!(handles(scope), Some(before + called));
    }
}
