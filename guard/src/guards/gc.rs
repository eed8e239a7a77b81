//! Garbage collection: the guard round what it starts, and the engine's own word that it is under way.

use crate::describe::gc_phase::GcPhase;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::session::{entering, leaving, seen};
use crate::pipeline::{settle, violated};
use crate::place::Place;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;

/// Marks native code that garbage collection started, as long as it lives. Made by [`gc`](gc()).
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
    held: Option<(E, EntryId)>,
    _not_send: PhantomData<*const ()>,
}

/// Marks that native code begins which garbage collection started: a GC callback, a weak callback, a finalizer, teardown.
///
/// Collection interrupts anything, so this is a barrier as a turn is: a scope of the code that it interrupted does not
/// enclose what runs in it. In the [second pass](GcPhase::SecondPass) handles may be made, in a scope of its own; a callback
/// violates `in-gc` in any phase, and in all other phases any scope and any turn does too.
///
/// # Panics and aborts
///
/// When the guard is dropped, as that of a [`turn`](crate::turn()).
#[inline]
pub fn gc<E: Engine>(engine: E, phase: GcPhase, place: Place) -> GcGuard<E> {
    let held = entering(engine, |thread| {
        let (id, found, below) = thread.stack(engine.isolate(), place, |stack| {
            let seen = seen(engine);
            let found = stack.resync(seen.level);
            let below = stack.engine_is_below();
            (stack.begin_gc(phase, place, seen), found, below)
        })?;
        let guard = GcGuard {
            held: Some((engine, id)),
            _not_send: PhantomData,
        };
        if let Some(found) = found {
            violated(thread, engine, found, below, || None);
        }
        Some(guard)
    });
    held.unwrap_or(GcGuard {
        held: None,
        _not_send: PhantomData,
    })
}

impl<E: Engine> Drop for GcGuard<E> {
    #[inline]
    fn drop(&mut self) {
        leaving(&mut self.held, |thread, engine, id| {
            let ended = thread.existing_stack(engine.isolate(), |stack| {
                // The engine is below in any case: it called this code.
                stack.end_turn(id, seen(engine))
            });
            if let Some(outcome) = ended {
                settle(thread, engine, outcome, true);
            }
        });
    }
}

/// The engine begins a collection of `engine`'s isolate on this thread: until [`collection_ends`], what begins there
/// violates `in-gc`.
pub fn collection_begins<E: Engine>(engine: E) {
    let _ = ThreadState::with(|thread| {
        thread.existing_stack(engine.isolate(), |stack| stack.collection_begins())
    });
}

/// The engine has ended a collection that [began](collection_begins).
pub fn collection_ends<E: Engine>(engine: E) {
    let _ = ThreadState::with(|thread| {
        thread.existing_stack(engine.isolate(), |stack| stack.collection_ends())
    });
}
