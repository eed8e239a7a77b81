//! What every guard does first and last: finds the checker, which the first guard of the process starts and announces, and
//! the state of the thread.

use crate::engine::interface::LiveIsolate;
use crate::pipeline::Session;
use crate::process::{announce, global};
use crate::thread::state::ThreadState;
use std::marker::PhantomData;

/// Keeps a guard on its thread: a scope belongs to the thread that opened it.
pub(crate) type NotSend = PhantomData<*const ()>;

/// Runs `f` for a guard that is made in `live`. `None` if every rule is off, or the thread is ending.
#[inline]
pub(crate) fn entering<L: LiveIsolate, R>(
    live: L,
    f: impl FnOnce(Session<'_>) -> Option<R>,
) -> Option<R> {
    if global::start().is_off() {
        return None;
    }
    if global::start().is_unannounced() {
        announce::announce(live);
        if global::start().is_off() {
            return None;
        }
    }
    leaving(f).flatten()
}

/// Runs `f` for a guard that is dropped, or for a hook. `None` if the thread is ending.
#[inline]
pub(crate) fn leaving<R>(f: impl FnOnce(Session<'_>) -> R) -> Option<R> {
    let checker = global::checker()?;
    ThreadState::with(|thread| f(Session { checker, thread }))
}
