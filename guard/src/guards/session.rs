//! What every guard does first and last: finds the checker, which the first guard of the process starts and announces, and
//! the state of the thread.

use crate::engine::ids::IsolateId;
use crate::engine::interface::LiveIsolate;
#[cfg(feature = "testing")]
use crate::guards::test_run;
use crate::pipeline::Session;
use crate::place::Place;
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

/// Records that something begins in `live`, at `place`, for the test in progress. `inside`: how many scopes the engine has opened
/// that the record does not have yet.
#[cfg_attr(not(feature = "testing"), expect(unused_variables, reason = "no test"))]
#[inline]
pub(crate) fn begins<L: LiveIsolate>(session: Session<'_>, live: L, place: Place, inside: u32) {
    #[cfg(feature = "testing")]
    test_run::note_use(session, live, place, inside);
}

/// Records that the thread leaves `isolate`, for the test in progress. `judge`: what is open in it has no report yet.
#[cfg_attr(not(feature = "testing"), expect(unused_variables, reason = "no test"))]
pub(crate) fn leaves(session: Session<'_>, isolate: IsolateId, judge: bool) {
    #[cfg(feature = "testing")]
    test_run::leaves(session, isolate, judge);
}

/// Runs `f` for a guard that is dropped, or for a hook. `None` if the thread is ending.
#[inline]
pub(crate) fn leaving<R>(f: impl FnOnce(Session<'_>) -> R) -> Option<R> {
    let checker = global::checker()?;
    ThreadState::with(|thread| {
        thread.note_guard();
        f(Session { checker, thread })
    })
}
