//! The guard of a call into JavaScript.

use crate::describe::beginning::Beginning;
use crate::detect::stack::replay::HINT_AFTER;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::session::{NotSend, entering};
use crate::guards::verdicts;
use crate::pipeline::{add, settle, violated};
use crate::place::{Location, Place};
use crate::process::announce;
use crate::process::global;
use crate::thread::fast_path;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;
use std::panic;
/// Records that the host has called into JavaScript, as long as it lives. Made by [`callback`].
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
    pub(crate) engine: E,
    /// [`EntryId::NONE`] where there is nothing to close.
    pub(crate) id: EntryId,
    pub(crate) _not_send: NotSend,
}

/// Records that the host calls into JavaScript now; the call ends when the guard is dropped. Judges `missing-scope` at
/// once, and `outer-growth` at the end.
///
/// # Panics and aborts
///
/// By the actions of these two rules.
#[inline]
#[track_caller]
pub fn callback<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> CallbackGuard<E> {
    callback_at(engine, Place::here(name), || None)
}

/// As [`callback`], called elsewhere. `callee` names the JavaScript function; it is asked only where a violation has
/// to be described, and may use the engine.
#[inline]
pub fn callback_at<E: Engine>(
    engine: E,
    place: Place,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<E> {
    let fast = match place.location {
        Location::Source(location) => callback_fast(engine, place.name, location),
        _ => None,
    };
    fast.unwrap_or_else(|| callback_slow(engine, place, callee))
}

/// As [`callback_at`], where nothing is to be said of it: `None` where there may be.
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
    Some(CallbackGuard {
        engine,
        id,
        _not_send: PhantomData,
    })
}

#[inline(never)]
fn callback_slow<E: Engine>(
    engine: E,
    place: Place,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<E> {
    entering(engine, |thread| {
        let elsewhere = verdicts::entered(thread, engine, Beginning::Callback, place);
        verdicts::budget(thread, engine, 0);
        let (id, finding, below, hint) = thread.stack(engine.isolate(), place, |stack| {
            let below = stack.engine_is_below();
            stack.set_strict(verdicts::is_strict(thread));
            let level = engine.level();
            let found = stack
                .resync(level)
                .or_else(|| stack.in_gc(Beginning::Callback, place));
            let handles = stack.exposed(level).then(|| engine.handles()).flatten();
            let (id, missing) = stack.begin_callback(place, EngineCounts { level, handles });
            let finding = found.or(missing);
            let hint = stack.callbacks_begun() == HINT_AFTER
                && stack.turns_begun() == 0
                && !stack.was_empty_once();
            (id, finding, below, hint)
        })?;
        // Before the reaction: one that panics takes the callback off the stack again.
        let guard = CallbackGuard {
            engine,
            id,
            _not_send: PhantomData,
        };
        let flushed_up_to =
            finding.and_then(|finding| violated(thread, engine, finding, below, callee));
        if let Some(report_ref) = flushed_up_to.or(elsewhere) {
            let late = thread
                .existing_stack(engine.isolate(), |stack| stack.report_ref(id, report_ref))
                .flatten();
            add(thread, late);
        }
        if hint {
            announce::hint_at_turns::<E>();
        }
        Some(guard)
    })
    .unwrap_or(CallbackGuard {
        engine,
        id: EntryId::NONE,
        _not_send: PhantomData,
    })
}

impl<E: Engine> CallbackGuard<E> {
    /// Of a callback that began under that name.
    #[inline]
    pub(crate) fn begun(engine: E, id: EntryId) -> Self {
        Self {
            engine,
            id,
            _not_send: PhantomData,
        }
    }

    /// Ends it, or gives it back if there is something to be said of it.
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
    let _ = ThreadState::with(|thread| {
        let ended = thread.existing_stack(engine.isolate(), |stack| {
            let exposed = stack.callback_is_exposed();
            let seen = EngineCounts {
                level: engine.level(),
                handles: exposed.then(|| engine.handles()).flatten(),
            };
            (stack.end_callback(id, seen), stack.engine_is_below())
        });
        if let Some((outcome, below)) = ended {
            settle(thread, engine, outcome, below);
        }
        verdicts::budget(thread, engine, 0);
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
