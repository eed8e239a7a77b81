//! The guard of code that garbage collection runs, and the engine's notices of collections.

use crate::describe::gc_phase::GcPhase;
use crate::engine::entered::Entered;
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::session::{NotSend, begins, entering, leaving};
use crate::pipeline::{settle, violated};
use crate::place::Place;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;

/// Marks native code that garbage collection runs, as long as the guard lives. Made by [`gc`](gc()).
///
/// A guard that outlives its isolate does nothing when it is dropped.
///
/// Not `Send`, as that code runs on one thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::GcGuard<E>>() }
/// ```
#[must_use = "if unused the phase ends immediately"]
#[derive(Debug)]
pub struct GcGuard<E: Engine> {
    engine: E,
    /// [`EntryId::NONE`] if there is nothing to end.
    id: EntryId,
    _not_send: NotSend,
}

/// Marks that native code begins which garbage collection runs: a GC callback, a weak callback, a finalizer, teardown.
///
/// A collection interrupts anything, so this is a barrier as a turn is: a scope of the interrupted code does not enclose
/// what runs in it. In the [second pass](GcPhase::SecondPass) handles may be made, in a scope of its own. A callback
/// violates `in-gc` in every phase; any scope and any turn does in all phases but the second pass.
///
/// # Panics and aborts
///
/// When the guard is dropped, as that of a [`turn`](crate::turn()).
#[inline]
pub fn gc<L: LiveIsolate>(isolate: L, phase: GcPhase, place: Place) -> GcGuard<L::Engine> {
    let engine = isolate.engine();
    // Nothing is recorded on a thread that has not entered the isolate, and a mark alone is no use of it.
    if engine.entered() == Entered::ByEngine {
        return GcGuard::of(engine, EntryId::NONE);
    }
    let guard = entering(isolate, |session| {
        let thread = session.thread;
        begins(session, isolate, place, 0);
        let (id, found, below) = thread.record(engine.isolate(), place, |stack| {
            let counts = isolate.counts();
            let found = stack.resync(counts.level);
            let below = stack.engine_is_below();
            (stack.begin_gc(phase, place, counts), found, below)
        })?;
        // Before the reaction: one that panics ends the phase again.
        let guard = GcGuard::of(engine, id);
        if let Some(found) = found {
            violated(session, engine, found, below, || None);
        }
        Some(guard)
    });
    guard.unwrap_or(GcGuard::of(engine, EntryId::NONE))
}

impl<E: Engine> GcGuard<E> {
    fn of(engine: E, id: EntryId) -> Self {
        Self {
            engine,
            id,
            _not_send: PhantomData,
        }
    }
}

impl<E: Engine> Drop for GcGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self { engine, id, .. } = *self;
        if id == EntryId::NONE {
            return;
        }
        let _ = leaving(|session| {
            let ended = session
                .thread
                .recorded_entry(engine, id, |live, stack| stack.end_turn(id, live.counts()));
            if let Some(outcome) = ended {
                // The engine called this code, so its frames are on the machine stack.
                settle(session, engine, id, outcome, true);
            }
        });
    }
}

/// Records that the engine begins a collection of `isolate` on this thread: until [`collection_ends`], what begins there
/// violates `in-gc`.
pub fn collection_begins<L: LiveIsolate>(isolate: L) {
    let isolate = isolate.engine().isolate();
    let _ = ThreadState::with(|thread| {
        thread.existing_record(isolate, |stack| stack.collection_begins())
    });
}

/// Records that the engine has ended a collection that [began](collection_begins). `full`: it has examined all objects, so that no
/// garbage holds a handle any more.
pub fn collection_ends<L: LiveIsolate>(isolate: L, full: bool) {
    let isolate = isolate.engine().isolate();
    let _ = ThreadState::with(|thread| {
        thread.existing_record(isolate, |stack| stack.collection_ends(full))
    });
}
