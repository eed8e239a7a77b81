//! What every guard does first and last: starts the checker, and finds the state of its thread.

use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::process::announce;
use crate::process::global;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;
/// Keeps a guard on its thread: a scope belongs to the thread that opened it.
pub(crate) type NotSend = PhantomData<*const ()>;

/// Runs `f` for a guard that comes to life; the first one of the process announces the checker.
#[inline]
pub(crate) fn entering<E: Engine, R>(
    engine: E,
    f: impl FnOnce(&ThreadState) -> Option<R>,
) -> Option<R> {
    if global::start().is_off() {
        return None;
    }
    if global::start().is_unannounced() {
        announce::announce(engine);
        if global::start().is_off() {
            return None;
        }
    }
    ThreadState::with(f).flatten()
}

/// Runs `f` for a guard that is dropped, unless it was never alive or the thread's locals are gone.
#[inline]
pub(crate) fn leaving<E: Engine>(
    held: &mut Option<(E, EntryId)>,
    f: impl FnOnce(&ThreadState, E, EntryId),
) {
    if let Some((engine, id)) = held.take() {
        let _ = ThreadState::with(|thread| f(thread, engine, id));
    }
}

#[inline]
pub(crate) fn seen<E: Engine>(engine: E) -> EngineCounts {
    EngineCounts {
        level: engine.level(),
        handles: engine.handles(),
    }
}
