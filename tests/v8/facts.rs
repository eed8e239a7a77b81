//! The facts of V8 that the project relies on. V8 has a new major every four weeks: if one of these tests fails, `handleguard-v8` must
//! follow.

use handleguard_tests::{eval, function, host, start_v8};
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
    // One scope for the call, and one around the native code: a report calls these two the engine's own.
    assert_eq!(inside.uint32_value(scope), Some(level(scope).unwrap() + 2));
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

mod fast_call {
    use super::*;
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicU32, Ordering};
    use v8::fast_api::{
        CFunction, CFunctionInfo, CTypeInfo, FastApiCallbackOptions, Int64Representation, Type,
    };

    static FAST: AtomicU32 = AtomicU32::new(0);
    static SLOW: AtomicU32 = AtomicU32::new(0);

    extern "C" fn fast(_: v8::Local<v8::Object>, options: *mut FastApiCallbackOptions) -> u32 {
        // SAFETY: V8 hands it for the time of the call.
        let isolate = unsafe { (*options).isolate_unchecked_mut() };
        FAST.store(level(isolate).unwrap(), Ordering::Relaxed);
        v8::callback_scope!(unsafe let scope, isolate);
        let before = handles(scope).unwrap();
        let _ = v8::Number::new(scope, 0.5);
        u32::try_from(handles(scope).unwrap() - before).unwrap()
    }

    fn slow(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, mut rv: v8::ReturnValue) {
        SLOW.store(level(scope).unwrap(), Ordering::Relaxed);
        rv.set_uint32(0);
    }

    const ARGUMENTS: &[CTypeInfo] = &[Type::V8Value.as_info(), Type::CallbackOptions.as_info()];
    const INFO: &CFunctionInfo = &CFunctionInfo::new(
        Type::Uint32.as_info(),
        ARGUMENTS,
        Int64Representation::Number,
    );
    const OVERLOADS: &[CFunction] = &[CFunction::new(fast as *const c_void, INFO)];

    /// A handle made in one goes to the scope around the whole call of JavaScript, and lives as long: a release build of V8 seals
    /// nothing there (`handles.h`, the internal `SealHandleScope`).
    #[test]
    fn a_fast_call_gets_no_scope_and_may_make_a_handle() {
        host!(scope, context);
        let native = v8::FunctionTemplate::builder(slow).build_fast(scope, OVERLOADS);
        let native = native.get_function(scope).unwrap();
        let name = v8::String::new(scope, "native").unwrap();
        context.global(scope).set(scope, name.into(), native.into());
        let made = eval(
            scope,
            "function hot() { return native() }
             %PrepareFunctionForOptimization(hot);
             hot();
             %OptimizeFunctionOnNextCall(hot);
             hot()",
        );
        assert_eq!(made.uint32_value(scope), Some(1), "V8 made no fast call");
        let (fast, slow) = (FAST.load(Ordering::Relaxed), SLOW.load(Ordering::Relaxed));
        assert_eq!(slow, fast + 1);
    }
}
