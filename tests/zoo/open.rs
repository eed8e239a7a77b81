//! The one place that the zoo's scopes and calls come from: handleguard's, or with the feature `plain` the v8 crate's own.
//! `turn!` is handleguard's in both, unless no turn is to be marked.
//!
//! The [bare counter](crate::counter) is fed here too.

use v8::{Function, Local, MicrotasksPolicy, Object, PinScope, Value};

#[cfg(not(feature = "plain"))]
#[collapse_debuginfo(yes)]
macro_rules! scope {
    (let $scope:ident, $param:expr) => {
        handleguard_v8::scope!(let $scope, $param);
        let _counted = $crate::counter::Opened::new();
    };
}
#[cfg(feature = "plain")]
#[collapse_debuginfo(yes)]
macro_rules! scope {
    (let $scope:ident, $param:expr) => {
        v8::scope!(let $scope, $param);
        let _counted = $crate::counter::Opened::new();
    };
}

#[cfg(not(feature = "plain"))]
#[collapse_debuginfo(yes)]
macro_rules! escapable_handle_scope {
    (let $scope:ident, $param:expr) => {
        handleguard_v8::escapable_handle_scope!(let $scope, $param);
        let _counted = $crate::counter::Opened::new();
    };
}
#[cfg(feature = "plain")]
#[collapse_debuginfo(yes)]
macro_rules! escapable_handle_scope {
    (let $scope:ident, $param:expr) => {
        v8::escapable_handle_scope!(let $scope, $param);
        let _counted = $crate::counter::Opened::new();
    };
}

// Opens no scope of V8, and so does not count.
#[cfg(not(feature = "plain"))]
#[collapse_debuginfo(yes)]
macro_rules! callback_scope {
    (unsafe let $scope:ident, $param:expr) => {
        handleguard_v8::callback_scope!(unsafe let $scope, $param);
    };
}
#[cfg(feature = "plain")]
#[collapse_debuginfo(yes)]
macro_rules! callback_scope {
    (unsafe let $scope:ident, $param:expr) => {
        v8::callback_scope!(unsafe let $scope, $param);
    };
}

#[collapse_debuginfo(yes)]
macro_rules! turn {
    ($isolate:expr, $name:expr) => {
        let _turn =
            $crate::stage::marks_turns().then(|| handleguard_v8::turn_guard(&mut *$isolate, $name));
        let _counted = $crate::counter::Turn::new();
    };
}

/// Calls `function` without arguments, as a callback.
#[track_caller]
pub fn call<'s>(scope: &PinScope<'s, '_>, function: Local<Function>) -> Option<Local<'s, Value>> {
    call_with(scope, function, &[])
}

/// Calls `function`, as a callback.
#[track_caller]
pub fn call_with<'s>(
    scope: &PinScope<'s, '_>,
    function: Local<Function>,
    args: &[Local<Value>],
) -> Option<Local<'s, Value>> {
    let undefined = v8::undefined(scope).into();
    crate::counter::callback();
    #[cfg(not(feature = "plain"))]
    return handleguard_v8::GuardedFunction::guarded_call(&*function, scope, undefined, args);
    #[cfg(feature = "plain")]
    return function.call(scope, undefined, args);
}

/// Calls `function` as node's `MakeCallback` does: and drains the microtasks.
#[track_caller]
pub fn make_callback<'s>(
    scope: &mut PinScope<'s, '_>,
    name: &'static str,
    recv: Local<Object>,
    function: Local<Function>,
) -> Option<Local<'s, Value>> {
    crate::counter::callback();
    #[cfg(not(feature = "plain"))]
    return handleguard_v8::make_callback(scope, name, recv, function, &[]);
    #[cfg(feature = "plain")]
    {
        let _ = name;
        let result = function.call(scope, recv.into(), &[]);
        if scope.get_microtasks_policy() == MicrotasksPolicy::Explicit {
            scope.perform_microtask_checkpoint();
        }
        result
    }
}

/// Drains the microtasks. V8 opens a scope for them, so the bare counter is not asked for one.
#[track_caller]
pub fn checkpoint(isolate: &mut v8::Isolate) {
    #[cfg(not(feature = "plain"))]
    handleguard_v8::GuardedIsolate::guarded_perform_microtask_checkpoint(isolate);
    #[cfg(feature = "plain")]
    isolate.perform_microtask_checkpoint();
}

#[cfg(not(feature = "plain"))]
const _: MicrotasksPolicy = MicrotasksPolicy::Auto;

/// Marks what garbage collection or teardown starts.
#[track_caller]
pub fn gc(
    isolate: &mut v8::Isolate,
    phase: handleguard_v8::GcPhase,
    name: &'static str,
) -> (
    handleguard_v8::handleguard::GcGuard<handleguard_v8::V8>,
    crate::counter::Turn,
) {
    (
        handleguard_v8::gc_guard(isolate, phase, name),
        crate::counter::Turn::new(),
    )
}

/// Enters an isolate.
///
/// # Safety
///
/// As of `Isolate::enter`.
#[track_caller]
pub unsafe fn enter(isolate: &v8::Isolate) {
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "plain"))]
    unsafe {
        handleguard_v8::GuardedIsolate::guarded_enter(isolate);
    }
    #[cfg(feature = "plain")]
    // SAFETY: the caller's promise.
    unsafe {
        isolate.enter();
    }
}

/// Leaves an isolate.
///
/// # Safety
///
/// As of `Isolate::exit`, but for what the bugs get wrong.
#[track_caller]
pub unsafe fn exit(isolate: &v8::Isolate) {
    // SAFETY: the caller's promise.
    #[cfg(not(feature = "plain"))]
    unsafe {
        handleguard_v8::GuardedIsolate::guarded_exit(isolate);
    }
    #[cfg(feature = "plain")]
    // SAFETY: the caller's promise.
    unsafe {
        isolate.exit();
    }
}
