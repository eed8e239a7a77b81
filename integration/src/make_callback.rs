use crate::call;
use std::cell::Cell;
use v8::{Function, Local, MicrotasksPolicy, Object, PinScope, Value};

thread_local! {
    /// How many are on this thread's stack (node's `async_callback_scope_depth`).
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Calls back into JavaScript from native code that the event loop started, as node's `MakeCallback` does
/// (`src/api/callback.cc`): calls `callback` with the receiver `recv`, and then, if this is the outermost one and it did
/// not throw, drains the microtasks that it queued, where the policy leaves that to the host.
///
/// `name` names the callback in reports, as node's `asyncResourceName` does.
///
/// Opens no scope: the result has to live on in the caller's, and a caller that has opened none since the turn began
/// is what `missing-scope` is about. `None` if JavaScript threw; catch it with [`tc_scope!`](crate::tc_scope).
///
/// # Panics and aborts
///
/// By the actions of `missing-scope` and `outer-growth`.
#[track_caller]
pub fn make_callback<'s>(
    scope: &mut PinScope<'s, '_>,
    name: &'static str,
    recv: Local<Object>,
    callback: Local<Function>,
    args: &[Local<Value>],
) -> Option<Local<'s, Value>> {
    let _callback = call::enter_here(scope, Some(name), &callback);
    let nested = Nested::enter();
    let result = callback.call(scope, recv.into(), args);
    if result.is_some()
        && nested.is_outermost()
        && scope.get_microtasks_policy() == MicrotasksPolicy::Explicit
    {
        scope.perform_microtask_checkpoint();
    }
    result
}

/// One call on the stack; counts itself out also when a panic unwinds.
struct Nested(u32);

impl Nested {
    fn enter() -> Self {
        Self(DEPTH.with(|depth| depth.replace(depth.get() + 1)))
    }

    fn is_outermost(&self) -> bool {
        self.0 == 0
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(self.0));
    }
}
