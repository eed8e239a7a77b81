//! The guard of a turn of the host's loop.

use crate::describe::beginning::Beginning;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::session::{NotSend, entering, leaving, seen};
use crate::guards::verdicts;
use crate::pipeline::{settle, violated};
use crate::place::Place;
use crate::process::seal;
use crate::react::usdt;
use std::marker::PhantomData;
/// Marks one turn of the host's loop, as long as it lives. Made by [`turn`].
///
/// Not `Send`, as a turn ends on the thread that began it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::TurnGuard<E>>() }
/// ```
#[must_use = "if unused the turn ends immediately"]
#[derive(Debug)]
pub struct TurnGuard<E: Engine> {
    pub(crate) held: Option<(E, EntryId)>,
    pub(crate) sealed: bool,
    pub(crate) _not_send: NotSend,
}

/// Marks that a turn of the host's loop begins now; it ends when the guard is dropped. Scopes opened before it do not
/// count as enclosing what runs in it. Turns nest: one for the loop's pass and one for each event in it is fine.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the actions of `outer-growth` and `never-closed`.
#[inline]
#[track_caller]
pub fn turn<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> TurnGuard<E> {
    turn_at(engine, Place::here(name))
}

/// As [`turn`], begun elsewhere.
#[inline]
pub fn turn_at<E: Engine>(engine: E, place: Place) -> TurnGuard<E> {
    let held = entering(engine, |thread| {
        thread.set_fast_isolate(engine);
        verdicts::entered(thread, engine, Beginning::Turn, place);
        let (found, id, below) = thread.stack(engine.isolate(), place, |stack| {
            let seen = seen(engine);
            let found = stack
                .resync(seen.level)
                .or_else(|| stack.in_gc(Beginning::Turn, place));
            let id = stack.begin_turn(place, seen);
            stack.note_cursor(engine.cursor());
            (found, id, stack.engine_is_below())
        })?;
        usdt::turn(engine.isolate());
        let guard = TurnGuard {
            held: Some((engine, id)),
            sealed: seal::seals_turns(engine) && engine.seal(id),
            _not_send: PhantomData,
        };
        if let Some(found) = found {
            violated(thread, engine, found, below, || None);
        }
        Some(guard)
    });
    held.unwrap_or(TurnGuard {
        held: None,
        sealed: false,
        _not_send: PhantomData,
    })
}

impl<E: Engine> Drop for TurnGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let sealed = self.sealed;
        leaving(&mut self.held, |thread, engine, id| {
            if sealed {
                engine.unseal(id);
            }
            let ended = thread.existing_stack(engine.isolate(), |stack| {
                let seen = seen(engine);
                verdicts::usage_around(engine, stack, seen);
                (stack.end_turn(id, seen), stack.engine_is_below())
            });
            if let Some((outcome, below)) = ended {
                settle(thread, engine, outcome, below);
            }
        });
    }
}
