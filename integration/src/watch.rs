//! Turns that are watched where no hook can rescue a refused handle: V8 calls back from its functions that run JavaScript, or settle a
//! promise (`v8-isolate.h`, `Isolate::AddBeforeCallEnteredCallback`). It does not from those that read a property, such as
//! `Object::Get`.
//!
//! V8 does so right after it has opened a scope of its own for the function (`api-inl.h`, `EnterV8Scope`). So one level above that of
//! the turn shows that the host called the function with no scope of the turn open.

use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use handleguard::{EntryId, ForkMutex, hooks, thread_number};

/// The turns that are watched.
static TURNS: ForkMutex<Vec<Watched>> = ForkMutex::new();

struct Watched {
    /// The address of the isolate.
    isolate: usize,
    /// The thread whose turn it is: an [`EntryId`] is unique on one thread only.
    thread: usize,
    turn: EntryId,
    /// V8's level when the turn began.
    level: Option<u32>,
}

/// Watches `turn` of `isolate`.
pub(crate) fn watch(isolate: LiveV8<'_>, turn: EntryId) {
    let watched = Watched {
        isolate: isolate.as_raw().addr(),
        thread: thread_number(),
        turn,
        level: isolate.level(),
    };
    // V8 adds a function once only (`isolate.cc`, `Isolate::AddBeforeCallEnteredCallback`).
    // SAFETY: the isolate is live and this thread's (`LiveV8`), and V8 calls the function as it is declared.
    unsafe { ffi::add_before_call_entered_callback(isolate.as_raw(), called) };
    TURNS.with(|turns| turns.push(watched));
}

/// Ends the watch of this thread's `turn`, and of those inside it. Does nothing if it is not watched.
pub(crate) fn unwatch(isolate: LiveV8<'_>, turn: EntryId) {
    let (address, thread) = (isolate.as_raw().addr(), thread_number());
    let is_last = TURNS.with(|turns| {
        let before = turns.len();
        turns.retain(|it| it.isolate != address || it.thread != thread || it.turn < turn);
        turns.len() < before && turns.iter().all(|it| it.isolate != address)
    });
    if is_last {
        // SAFETY: as in `watch`.
        unsafe { ffi::remove_before_call_entered_callback(isolate.as_raw(), called) };
    }
}

/// Forgets the turns of an isolate that is about to end, of whichever thread.
pub(crate) fn forget(isolate: LiveV8<'_>) {
    let address = isolate.as_raw().addr();
    TURNS.with(|turns| turns.retain(|it| it.isolate != address));
}

/// V8 calls it before it may run JavaScript.
unsafe extern "C" fn called(isolate: *mut RawIsolate) {
    // SAFETY: V8 passes the isolate whose function this thread has called.
    let live = unsafe { LiveV8::from_raw(isolate) };
    let outside = live.level().and_then(|level| level.checked_sub(1));
    // Most calls are made in a scope of their turn, and cost no more than this.
    let is_direct = |it: &Watched| it.isolate == isolate.addr() && it.level == outside;
    if TURNS.with(|turns| turns.iter().any(is_direct)) {
        hooks::engine_called(live);
    }
}
