//! The guard of a turn of the host's loop.

use crate::describe::beginning::Beginning;
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::engine_work;
use crate::guards::session::{NotSend, begins, entering, leaving};
use crate::guards::verdicts;
use crate::pipeline::{settle, violated};
use crate::place::Place;
use crate::process::{announce, global, seal};
use crate::react::usdt;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;

/// Marks one turn of the host's loop, as long as the guard lives. Made by [`turn`].
///
/// A guard that outlives its isolate does nothing when it is dropped.
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
    engine: E,
    /// [`EntryId::NONE`] if there is nothing to end.
    id: EntryId,
    /// The engine refuses handles directly under this turn, or it is watched who makes them.
    sealed: bool,
    _not_send: NotSend,
}

/// Marks that a turn of the host's loop begins now; it ends when the guard is dropped. Scopes opened before it do not
/// enclose what runs in it. Turns nest: one for the loop's pass and one for each event in it is fine.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the actions of `outer-growth` and `never-closed`.
#[inline]
#[track_caller]
pub fn turn<L: LiveIsolate>(
    isolate: L,
    name: impl Into<Option<&'static str>>,
) -> TurnGuard<L::Engine> {
    turn_at(isolate, Place::here(name))
}

/// As [`turn`], for a turn that begins at another place.
#[inline]
pub fn turn_at<L: LiveIsolate>(isolate: L, place: Place) -> TurnGuard<L::Engine> {
    let engine = isolate.engine();
    if engine_work::guard_sees_beginning(engine, Beginning::Turn, place) {
        return TurnGuard::of(engine, EntryId::NONE);
    }
    let guard = entering(isolate, |session| {
        let thread = session.thread;
        begins(session, isolate, place, 0);
        thread.set_fast_isolate(isolate, session.checker.allows_fast_path());
        verdicts::entered(session, engine, Beginning::Turn, place);
        let (found, id, number, below) = thread.record(engine.isolate(), place, |stack| {
            let counts = isolate.counts();
            stack.look_at_aftermath(|| isolate.aftermath());
            let found = stack
                .resync(counts.level)
                .or_else(|| stack.in_gc(Beginning::Turn, place));
            let id = stack.begin_turn(place, counts);
            stack.note_siblings(thread.siblings.begun());
            stack.note_cursor(isolate.cursor());
            (found, id, stack.turns_begun(), stack.engine_is_below())
        })?;
        usdt::turn(engine.isolate());
        // Before the reaction: one that panics ends the turn again.
        let mut guard = TurnGuard::of(engine, id);
        guard.sealed = if seal::seals_turns(session.checker, isolate) {
            isolate.seal(id)
        } else {
            seal::watches(session, isolate, place, number) && isolate.watch(id)
        };
        if let Some(found) = found {
            violated(session, engine, found, below, || None);
        }
        Some(guard)
    });
    guard.unwrap_or(TurnGuard::of(engine, EntryId::NONE))
}

/// Prints, once in a process, that the host marks a turn at `place` where no isolate is current, so that none is marked. For an engine
/// layer that looks for the current isolate itself.
pub fn turn_in_no_isolate(place: Place) {
    if !global::start().is_off() {
        let _ = ThreadState::with(|thread| announce::turn_in_no_isolate(thread, place));
    }
}

impl<E: Engine> TurnGuard<E> {
    /// The guard of the turn `id`, which has begun and is not sealed.
    pub(crate) fn of(engine: E, id: EntryId) -> Self {
        Self {
            engine,
            id,
            sealed: false,
            _not_send: PhantomData,
        }
    }

    /// Leaves the turn open, without a guard and without a seal.
    pub(crate) fn into_id(mut self) -> EntryId {
        let id = std::mem::replace(&mut self.id, EntryId::NONE);
        if self.sealed {
            let engine = self.engine;
            let _ = leaving(|session| {
                session
                    .thread
                    .recorded_entry(engine, id, |live, _| live.unseal(id))
            });
        }
        id
    }
}

impl<E: Engine> Drop for TurnGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self {
            engine, id, sealed, ..
        } = *self;
        if id == EntryId::NONE {
            return;
        }
        end(engine, id, sealed);
        // `end` is no tail call, which would leave the function that holds the guard out of the stack.
        std::hint::black_box(());
    }
}

#[inline(never)]
fn end<E: Engine>(engine: E, id: EntryId, sealed: bool) {
    let _ = leaving(|session| {
        let ended = session.thread.recorded_entry(engine, id, |live, stack| {
            if sealed {
                live.unseal(id);
            }
            let counts = live.counts();
            verdicts::record_stats_around(session.checker, live, stack, counts);
            let turn = stack.turn_with_siblings(id);
            let outcome = stack.end_turn(id, counts);
            let is_due = stack.persistent_handles_are_due();
            (turn, outcome, stack.engine_is_below(), is_due)
        });
        if let Some((turn, mut outcome, below, is_due)) = ended {
            if let Some((turn, since)) = turn {
                let since = (Some(turn), since);
                verdicts::siblings(session, engine, since, &mut outcome.findings);
            }
            settle(session, engine, id, outcome, below);
            if is_due {
                verdicts::persistent_handles(session, engine);
            }
        }
        session.thread.caught.take_since(engine.isolate(), id);
    });
}
