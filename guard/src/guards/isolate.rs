//! The way of an isolate: a thread enters it and leaves it, in order and with nothing of it open, and it ends.

use crate::describe::beginning::Beginning;
use crate::detect::stack::outcome::Outcome;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::session::{begins, entering, leaves, leaving};
#[cfg(feature = "testing")]
use crate::guards::test_run;
use crate::guards::verdicts;
use crate::pipeline::{Session, settle, violated};
use crate::place::Place;
use crate::process::{announce, global};
use crate::thread::entered_isolates::EnteredIsolate;
use crate::thread::state::ThreadState;

/// Records that this thread has just entered `isolate`, at `place`.
pub fn enter<L: LiveIsolate>(isolate: L, place: Place) {
    let id = isolate.engine().isolate();
    let _ = entering(isolate, |session| {
        let thread = session.thread;
        thread.entered.in_disorder.set(false);
        begins(session, isolate, place, 0);
        let since = thread.record(id, place, |stack| stack.last_id())?;
        thread.entered.push(EnteredIsolate {
            isolate: id,
            since,
            level: isolate.level(),
        });
        Some(())
    });
}

/// Records that this thread is about to leave `isolate`, at `place`.
///
/// # Panics and aborts
///
/// By the actions of `wrong-thread` and `wrong-isolate`, if the isolate is not the current one of the thread; of
/// `never-closed`, if scopes opened since it was [entered](enter) are still open.
pub fn exit<L: LiveIsolate>(isolate: L, place: Place) {
    let engine = isolate.engine();
    let _ = entering(isolate, |session| {
        let thread = session.thread;
        // The engine may use this thread for work of its own, with the isolate set current again.
        thread.clear_fast_isolate();
        if !thread.entered.in_disorder.get()
            && verdicts::entered(session, engine, Beginning::Exit, place).is_some()
        {
            thread.entered.in_disorder.set(true);
        }
        let Some(entered) = thread.entered.take(engine.isolate()) else {
            leaves(session, engine.isolate(), true);
            return None;
        };
        let (findings, below) = thread.existing_record(engine.isolate(), |stack| {
            let findings =
                stack.leave_isolate(entered.since, entered.level, place, isolate.counts());
            (findings, stack.engine_is_below())
        })?;
        // What is open has its report below.
        leaves(session, engine.isolate(), findings.is_empty());
        for finding in findings {
            violated(session, engine, finding, below, || None);
        }
        Some(())
    });
}

/// Ends the records of `isolate`, on this thread and on every other that used it. An engine layer calls it while the isolate
/// can still be read, just before the isolate is disposed of; guards that are dropped later do nothing.
///
/// # Panics and aborts
///
/// By the action of `never-closed`, if this thread's record has open scopes.
pub fn end_isolate<L: LiveIsolate>(isolate: L) {
    /// Removes the records on every way out: a report may panic, and must find the record. This thread may be ending, and have
    /// no record any more, while others do.
    struct End(IsolateId);
    impl Drop for End {
        fn drop(&mut self) {
            ThreadState::end_isolate(self.0);
            #[cfg(feature = "testing")]
            test_run::forget(self.0);
        }
    }

    let engine = isolate.engine();
    let _end = End(engine.isolate());
    if leaving(|session| judge_end(session, isolate)).is_none()
        && let Some(checker) = global::checker()
        && let Some(thread) = ThreadState::after_the_locals(engine.isolate())
        // Guards that closed after the locals were gone are still in the record. The engine knows what is open.
        && isolate.level().is_some()
    {
        let thread = &thread;
        judge_end(Session { checker, thread }, isolate);
    }
}

/// Judges what is open of an isolate that ends.
fn judge_end<L: LiveIsolate>(session: Session<'_>, isolate: L) {
    let engine = isolate.engine();
    let thread = session.thread;
    let ended = thread.existing_record(engine.isolate(), |stack| {
        let below = stack.engine_is_below();
        // Before the record is emptied: it knows how many turns there were.
        let growth = stack.judge_persistent_handles(isolate.hooks_persistent_handles(), || {
            isolate.persistent_handles()
        });
        let mut findings = stack.end_isolate(isolate.counts());
        findings.extend(growth);
        (findings, stack.unjudged_outermost(), below)
    });
    let Some((mut findings, unjudged, below)) = ended else {
        return;
    };
    verdicts::siblings(session, engine, (None, 0), &mut findings);
    if let Some(outermost) = unjudged {
        announce::hint_at_outermost(thread, engine, outermost);
    }
    let outcome = Outcome {
        findings,
        late: None,
    };
    settle(session, engine, EntryId::NONE, outcome, below);
    verdicts::advise(session, engine, below);
}
