//! The guard of a call into JavaScript.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::missing_scope::MissingScope;
use crate::detect::stack::replay::HINT_AFTER;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::engine_work;
use crate::guards::session::{NotSend, begins, entering, leaving};
use crate::guards::verdicts;
use crate::pipeline::{add_late, settle, violated};
use crate::place::{Location, Place};
use crate::process::{announce, global};
use crate::symbolize::native_call;
use crate::thread::fast_path;
use crate::unwind::capture::Origin;
use std::marker::PhantomData;
use std::panic;

/// Records that the host has called into JavaScript, as long as the guard lives. Made by [`callback`].
///
/// A guard that outlives its isolate does nothing when it is dropped.
///
/// Not `Send`, as a call returns on the thread that made it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::CallbackGuard<E>>() }
/// ```
#[must_use = "if unused the callback ends immediately"]
#[derive(Debug)]
pub struct CallbackGuard<E: Engine> {
    engine: E,
    /// [`EntryId::NONE`] if there is nothing to end.
    id: EntryId,
    _not_send: NotSend,
}

/// Records that the host calls into JavaScript now; the call ends when the guard is dropped. Judges `missing-scope` at
/// once, and `outer-growth` at the end.
///
/// # Panics and aborts
///
/// By the actions of these two rules.
#[inline]
#[track_caller]
pub fn callback<L: LiveIsolate>(
    isolate: L,
    name: impl Into<Option<&'static str>>,
) -> CallbackGuard<L::Engine> {
    callback_at(isolate, Place::here(name), || None)
}

/// As [`callback`], for a call at another place. `callee` names the JavaScript function; it runs only if a violation has to
/// be described, and may use the engine.
#[inline]
pub fn callback_at<L: LiveIsolate>(
    isolate: L,
    place: Place,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<L::Engine> {
    begin(isolate, place, Entrance::Call, callee)
}

/// Records that the host begins a checkpoint for microtasks; the checkpoint ends when the guard is dropped. It is a callback
/// that needs no scope around it, because the engine opens one for the microtasks. So `missing-scope` does not judge it, and
/// `outer-growth` judges what it leaves at its end.
///
/// # Panics and aborts
///
/// By the action of `outer-growth`, when the guard is dropped.
#[inline]
#[track_caller]
pub fn checkpoint<L: LiveIsolate>(
    isolate: L,
    name: impl Into<Option<&'static str>>,
) -> CallbackGuard<L::Engine> {
    checkpoint_at(isolate, Place::here(name))
}

/// As [`checkpoint`], for a checkpoint at another place.
#[inline]
pub fn checkpoint_at<L: LiveIsolate>(isolate: L, place: Place) -> CallbackGuard<L::Engine> {
    begin(isolate, place, Entrance::Checkpoint, || None)
}

#[inline(always)]
fn begin<L: LiveIsolate>(
    isolate: L,
    place: Place,
    entrance: Entrance,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<L::Engine> {
    let fast = match place.location {
        Location::Source(location) => callback_fast(isolate.engine(), place.name, location),
        _ => None,
    };
    fast.unwrap_or_else(|| callback_slow(isolate, place, entrance, callee))
}

/// How the host enters JavaScript.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entrance {
    /// It calls a function, a script or a module.
    Call,
    /// It lets the engine run the microtasks.
    Checkpoint,
}

/// The fast path of [`callback_at`]. Returns `None` if the slow path must run.
#[doc(hidden)]
#[inline(always)]
pub fn callback_fast<E: Engine>(
    engine: E,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> Option<CallbackGuard<E>> {
    let id = if global::start().is_off() {
        EntryId::NONE
    } else {
        fast_path::open(engine, None, name, location)?
    };
    Some(CallbackGuard::of(engine, id))
}

#[inline(never)]
fn callback_slow<L: LiveIsolate>(
    isolate: L,
    place: Place,
    entrance: Entrance,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<L::Engine> {
    let engine = isolate.engine();
    if engine_work::guard_sees_beginning(engine, Beginning::Callback, place) {
        return CallbackGuard::of(engine, EntryId::NONE);
    }
    let guard = entering(isolate, |session| {
        begins(session, isolate, place, 0);
        let elsewhere = verdicts::entered(session, engine, Beginning::Callback, place);
        verdicts::budget(session, engine, 0);
        let thread = session.thread;
        let (id, finding, below, hint) = thread.record(engine.isolate(), place, |stack| {
            let below = stack.engine_is_below();
            stack.set_strict(verdicts::is_strict(session));
            let level = isolate.level();
            stack.look_at_aftermath(|| isolate.aftermath());
            let found = stack
                .resync(level)
                .or_else(|| stack.in_gc(Beginning::Callback, place));
            let handles = if stack.exposed(level) {
                isolate.handles()
            } else {
                None
            };
            let counts = EngineCounts { level, handles };
            let (id, missing) = match entrance {
                Entrance::Call => stack.begin_callback(place, counts),
                Entrance::Checkpoint => (stack.begin_checkpoint(place, counts), None),
            };
            let hint = stack.callbacks_begun() == HINT_AFTER
                && stack.turns_begun() == 0
                && !stack.was_empty_once();
            (id, found.or(missing), below, hint)
        })?;
        // Not from within `record`: naming the frames of the stack reads files.
        let finding = finding.filter(|finding| {
            !is_hidden_by_caller(finding)
                || native_call::is_by_script(Origin::here(), L::Engine::WORDING.classifier)
        });
        // Before the reaction: one that panics takes the callback off the stack again.
        let guard = CallbackGuard::of(engine, id);
        let reported =
            finding.and_then(|finding| violated(session, engine, finding, below, callee));
        if let Some(report_ref) = reported.or(elsewhere) {
            let late = thread
                .existing_record(engine.isolate(), |stack| stack.set_report(id, report_ref))
                .flatten();
            add_late(session, late);
        }
        if hint {
            announce::hint_at_turns(thread, L::Engine::WORDING);
        }
        Some(guard)
    });
    guard.unwrap_or(CallbackGuard::of(engine, EntryId::NONE))
}

/// Whether strict mode alone made the finding, which then holds only for native code that the event loop can call too.
fn is_hidden_by_caller(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::MissingScope(MissingScope {
            opener: Opener::Caller(_),
            ..
        })
    )
}

impl<E: Engine> CallbackGuard<E> {
    /// The guard of the callback `id`, which has begun.
    #[inline(always)]
    pub(crate) fn of(engine: E, id: EntryId) -> Self {
        Self {
            engine,
            id,
            _not_send: PhantomData,
        }
    }

    /// Leaves the callback open, without a guard.
    #[inline]
    pub(crate) fn into_id(mut self) -> EntryId {
        std::mem::replace(&mut self.id, EntryId::NONE)
    }

    /// Ends the callback by the fast path, or returns the guard if the slow path must run.
    #[inline]
    pub(crate) fn end_fast(mut self) -> Result<(), Self> {
        if fast_path::end_callback(self.id) {
            self.id = EntryId::NONE;
            return Ok(());
        }
        Err(self)
    }
}

impl<E: Engine> Drop for CallbackGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self { engine, id, .. } = *self;
        if !fast_path::end_callback(id) && id != EntryId::NONE {
            end_slow(engine, id);
        }
    }
}

#[inline(never)]
fn end_slow<E: Engine>(engine: E, id: EntryId) {
    let _ = leaving(|session| {
        let ended = session.thread.recorded_entry(engine, id, |live, stack| {
            let counts = EngineCounts {
                level: live.level(),
                handles: if stack.callback_is_exposed() {
                    live.handles()
                } else {
                    None
                },
            };
            (stack.end_callback(id, counts), stack.engine_is_below())
        });
        if let Some((outcome, below)) = ended {
            settle(session, engine, id, outcome, below);
        }
        verdicts::budget(session, engine, 0);
    });
}

#[cfg(all(test, feature = "testing", not(loom)))]
mod tests {
    use super::*;
    use crate::engine::fake::Fake;
    use crate::engine::ids::IsolateId;
    use std::panic::catch_unwind;

    #[test]
    fn a_callback_whose_report_panics_is_off_the_stack_again() {
        // Twice: what the first left behind would hide the second, or make of its panic an abort.
        for _ in 0..2 {
            let panicked = catch_unwind(|| {
                let _callback = callback(Fake::new(IsolateId(0x6a7d)), "bare");
            });
            assert!(panicked.is_err());
        }
    }
}
