//! False-alarm traps: correct code that a bare counter would blame. Each stays silent over many turns, and the outer scope does not
//! grow.

use handleguard_tests::{child, eval, function, host, is_child, start_v8};
use handleguard_v8::{
    GuardedFunction, GuardedIsolate, escapable_handle_scope, make_callback, scope, testing, turn,
};

const TURNS: usize = 10_000;

/// Runs `turn` many times in a host with a scope that lives throughout, and asserts that nothing is reported.
pub fn silent(
    setup: &str,
    mut turn: impl for<'s> FnMut(&mut v8::PinScope<'s, '_>, &v8::Global<v8::Function>),
) {
    host!(scope, context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    let callback = function(scope, setup);
    let callback = v8::Global::new(scope, callback);
    testing::assert_at_most(scope, 0, |scope| {
        testing::assert_clean(|| {
            for _ in 0..TURNS {
                turn(scope, &callback);
            }
        })
    });
}

#[test]
fn an_api_callback_runs_in_the_scope_that_v8_opened() {
    fn native(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        // Makes handles and a call without a scope of its own: V8's generated code has opened one around this function.
        let callback: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[]);
    }

    silent("(native) => native(() => ({}))", |scope, callback| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        let callback = v8::Local::new(scope, callback);
        let native = v8::Function::new(scope, native).unwrap();
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[native.into()]);
    });
}

#[test]
fn a_turn_in_an_api_callback_does_not_hide_the_scope_that_v8_opens_for_the_next() {
    fn inner(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let undefined = v8::undefined(scope).into();
        if let Ok(callback) = v8::Local::<v8::Function>::try_from(args.get(0)) {
            callback.guarded_call(scope, undefined, &[]);
        }
    }

    fn spin(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        turn!(scope, "nested loop");
        scope!(let scope, scope);
        let inner = v8::Function::new(scope, inner).unwrap();
        let callback: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[inner.into()]);
    }

    silent(
        "(spin) => spin((inner) => inner && inner(() => ({})))",
        |scope, callback| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            let callback = v8::Local::new(scope, callback);
            let spin = v8::Function::new(scope, spin).unwrap();
            let undefined = v8::undefined(scope).into();
            callback.guarded_call(scope, undefined, &[spin.into()]);
        },
    );
}

#[test]
fn a_microtask_drain_in_a_scope_runs_natives_and_reactions() {
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let _ = v8::Object::new(scope);
        let undefined = v8::undefined(scope).into();
        function(scope, "() => [1, 2, 3]").guarded_call(scope, undefined, &[]);
    }

    silent(
        "(native) => { Promise.resolve().then(native).then(() => ({})) }",
        |scope, callback| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            let callback = v8::Local::new(scope, callback);
            let native = v8::Function::new(scope, native).unwrap();
            let undefined = v8::undefined(scope).into();
            callback.guarded_call(scope, undefined, &[native.into()]);
            scope.guarded_perform_microtask_checkpoint();
        },
    );
}

#[test]
fn a_turn_in_a_turn_judges_by_its_own_barrier() {
    silent("() => ({})", |scope, callback| {
        turn!(scope, "pass");
        for _ in 0..3 {
            turn!(scope, "event");
            scope!(let scope, scope);
            let callback = v8::Local::new(scope, callback);
            let receiver = v8::Object::new(scope);
            make_callback(scope, "event", receiver, callback, &[]);
        }
    });
}

#[test]
fn an_escapable_scope_that_adds_its_one_handle_to_a_scope_of_the_turn() {
    fn made<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
        escapable_handle_scope!(let scope, scope);
        let value = eval(scope, "[1, 2, 3]");
        scope.escape(value)
    }

    silent("(value) => value", |scope, callback| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        let callback = v8::Local::new(scope, callback);
        let undefined = v8::undefined(scope).into();
        let value = made(scope);
        callback.guarded_call(scope, undefined, &[value]);
    });
}

#[test]
fn an_exception_through_native_frames_leaves_nothing_open() {
    fn rethrow(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        scope!(let scope, scope);
        let callback: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        assert!(callback.guarded_call(scope, undefined, &[]).is_none());
    }

    silent(
        "(native) => native(() => native(() => { throw 1 }))",
        |scope, callback| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            handleguard_v8::tc_scope!(let scope, scope);
            let callback = v8::Local::new(scope, callback);
            let native = v8::Function::new(scope, rethrow).unwrap();
            let undefined = v8::undefined(scope).into();
            assert!(
                callback
                    .guarded_call(scope, undefined, &[native.into()])
                    .is_none()
            );
            assert!(scope.has_caught());
        },
    );
}

#[test]
fn a_context_made_and_left_in_a_turn() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    scope!(let outer, isolate);
    testing::assert_at_most(outer, 0, |outer| {
        testing::assert_clean(|| {
            for _ in 0..20 {
                turn!(outer, "loop");
                scope!(let scope, outer);
                let context = v8::Context::new(scope, Default::default());
                let scope = &mut v8::ContextScope::new(scope, context);
                let undefined = v8::undefined(scope).into();
                function(scope, "() => 1").guarded_call(scope, undefined, &[]);
            }
        })
    });
}

#[test]
fn javascript_at_start_up_before_any_turn_may_use_the_outer_scope() {
    // Not in a test's closure, which would be a turn.
    if is_child() {
        host!(scope, context);
        let undefined = v8::undefined(scope).into();
        function(scope, "() => 1").guarded_call(scope, undefined, &[]);
        return;
    }
    let test = "traps::javascript_at_start_up_before_any_turn_may_use_the_outer_scope";
    assert!(child(test, "abort").status.success());
}
