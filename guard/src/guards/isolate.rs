//! Entering an isolate on a thread, and leaving it: in order, and with nothing of it open.

use crate::describe::beginning::Beginning;
use crate::detect::stack::Outcome;
use crate::engine::interface::Engine;
use crate::guards::session::{entering, seen};
use crate::guards::verdicts;
use crate::pipeline::{settle, violated};
use crate::place::Place;
use crate::process::announce;
use crate::thread::entered_isolates::EnteredIsolate;
use crate::thread::state::ThreadState;

/// This thread has just entered `engine`'s isolate, at `place`.
pub fn enter<E: Engine>(engine: E, place: Place) {
    let _ = entering(engine, |thread| {
        thread.entries.in_disorder.set(false);
        let since = thread.stack(engine.isolate(), place, |stack| stack.now())?;
        thread.entries.push(EnteredIsolate {
            isolate: engine.isolate(),
            since,
            level: engine.level(),
        });
        Some(())
    });
}

/// This thread is about to leave `engine`'s isolate, at `place`.
///
/// # Panics and aborts
///
/// By the actions of `wrong-thread` and `wrong-isolate`, if the isolate is not the current one of the thread; of
/// `never-closed`, if scopes opened since it was [entered](enter) are still open.
pub fn exit<E: Engine>(engine: E, place: Place) {
    let _ = entering(engine, |thread| {
        if !thread.entries.in_disorder.get()
            && verdicts::entered(thread, engine, Beginning::Exit, place).is_some()
        {
            thread.entries.in_disorder.set(true);
        }
        let entry = thread.entries.take(engine.isolate())?;
        let (findings, below) = thread.existing_stack(engine.isolate(), |stack| {
            let findings = stack.leave(entry.since, entry.level, place, seen(engine));
            (findings, stack.engine_is_below())
        })?;
        for finding in findings {
            violated(thread, engine, finding, below, || None);
        }
        Some(())
    });
}

/// Ends the record of `engine`'s isolate on this thread. Call it while the isolate can still be read, just before it is
/// disposed.
///
/// # Panics and aborts
///
/// By the action of `never-closed`, if scopes are still open.
pub fn end_isolate<E: Engine>(engine: E) {
    let _ = ThreadState::with(|thread| {
        let Some(mut stack) = thread.remove_stack(engine.isolate()) else {
            return;
        };
        let below = stack.engine_is_below();
        let findings = stack.end_isolate(seen(engine));
        if stack.callbacks_begun() > 0 && stack.turns_begun() == 0 && !stack.was_empty_once() {
            announce::hint_at_turns::<E>();
        }
        let outcome = Outcome {
            findings,
            late: None,
        };
        settle(thread, engine, outcome, below);
        verdicts::advise(thread, engine, below);
    });
}
