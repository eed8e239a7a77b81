//! The macros accept what those of the v8 crate accept, bind the same types, and work in the same places: each test here also compiles
//! with the import changed to `v8`.

use handleguard_tests::{eval, host, start_v8};
use handleguard_v8::handleguard::depth;
use handleguard_v8::{callback_scope, escapable_handle_scope, scope, scope_with_context, tc_scope};

type Handles<'a, 's, 'i> = &'a mut v8::PinScope<'s, 'i>;

#[test]
fn a_scope_opens_from_an_isolate_owned_or_borrowed() {
    start_v8();
    let mut owned = v8::Isolate::new(Default::default());
    {
        scope!(let scope, &mut owned);
        let _: &mut v8::PinScope<'_, '_, ()> = scope;
        assert_eq!(depth(), 1);
    }
    assert_eq!(depth(), 0);
    let borrowed: &mut v8::Isolate = &mut owned;
    scope!(scope, borrowed,);
    let _ = v8::Number::new(scope, 0.5);
    assert_eq!(depth(), 1);
}

#[test]
fn a_scope_opens_from_any_scope_and_gives_it_back() {
    fn takes(scope: Handles, deep: u32) {
        scope!(let inner, scope);
        assert_eq!(depth(), deep);
        let _: Handles = inner;
    }

    host!(scope, context);
    takes(scope, 2);
    {
        scope!(let scope, scope);
        takes(scope, 3);
    }
    {
        tc_scope!(let scope, scope);
        assert_eq!(depth(), 1, "a TryCatch holds no handles");
        takes(scope, 2);
        assert!(!scope.has_caught());
    }
    // The outer scope is usable again.
    let _ = v8::Number::new(scope, 0.5);
    takes(scope, 2);
}

#[test]
fn a_scope_with_context_enters_it() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    let context = {
        scope!(let scope, isolate);
        let context = v8::Context::new(scope, Default::default());
        v8::Global::new(scope, context)
    };
    scope_with_context!(let scope, isolate, &context);
    assert_eq!(depth(), 1);
    assert_eq!(eval(scope, "6 * 7").uint32_value(scope), Some(42));
}

#[test]
fn an_escapable_scope_lets_one_handle_out() {
    fn answer<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
        escapable_handle_scope!(let scope, scope);
        assert_eq!(depth(), 2);
        let value = eval(scope, "42");
        scope.escape(value)
    }

    fn caught<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
        escapable_handle_scope!(let scope, scope);
        tc_scope!(let scope, scope);
        let value = eval(scope, "43");
        scope.escape(value)
    }

    host!(scope, context);
    assert_eq!(answer(scope).uint32_value(scope), Some(42));
    assert_eq!(caught(scope).uint32_value(scope), Some(43));
    assert_eq!(depth(), 1);
}

#[test]
fn a_callback_scope_opens_from_what_v8_hands_to_a_callback() {
    extern "C" fn raw(info: *const v8::FunctionCallbackInfo) {
        // SAFETY: V8 hands a live info to the callback.
        let info = unsafe { &*info };
        callback_scope!(unsafe scope, info);
        assert_eq!(depth(), 2);
        scope!(let inner, scope);
        let mut result = v8::ReturnValue::<v8::Value>::from_function_callback_info(info);
        result.set(v8::Integer::new(inner, 7).into());
    }

    extern "C" fn rejected(message: v8::PromiseRejectMessage) {
        callback_scope!(unsafe scope, &message);
        let _ = v8::Number::new(scope, 0.5);
    }

    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    isolate.set_promise_reject_callback(rejected);
    {
        callback_scope!(unsafe scope, &mut *isolate);
        let _: &mut v8::PinCallbackScope<'_, '_, ()> = scope;
        scope!(let scope, scope);
        let _ = v8::Number::new(scope, 0.5);
    }
    scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let native = v8::Function::new_raw(scope, raw).unwrap();
    let undefined = v8::undefined(scope).into();
    let result = native.call(scope, undefined, &[]).unwrap();
    assert_eq!(result.uint32_value(scope), Some(7));
    eval(scope, "Promise.reject(1)");
    {
        callback_scope!(unsafe scope, context);
        scope!(let scope, scope);
        assert_eq!(eval(scope, "8").uint32_value(scope), Some(8));
    }
    assert_eq!(depth(), 1);
}

#[test]
fn a_turn_is_a_barrier_for_the_depth() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    scope!(let scope, isolate);
    assert_eq!(depth(), 1);
    {
        handleguard_v8::turn!(scope);
        assert_eq!(depth(), 0);
        scope!(let scope, scope);
        assert_eq!(depth(), 1);
        handleguard_v8::turn!(scope, "nested");
        assert_eq!(depth(), 0);
    }
    assert_eq!(depth(), 1);
}
