//! The guards: what a host holds while a scope is open, a call into JavaScript is under way, or a turn goes on.

use crate::finding::{Beginning, ScopeKind};
use crate::hooked;
use crate::judge::{self, add, settle, violated};
use crate::local::Local;
use crate::probes;
use crate::process;
use crate::recent;
use crate::seal;
use crate::stack::recent::HINT_AFTER;
use crate::stack::{FrameId, Outcome};
use crate::{Engine, Place, Seen, Spot};
use std::marker::PhantomData;
use std::panic::Location;

/// Keeps a guard on its thread: a scope belongs to the thread that opened it.
type NotSend = PhantomData<*const ()>;

/// Records that a handle scope is open, as long as it lives. Made by [`scope`].
///
/// Not `Send`, as a scope closes on the thread that opened it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::ScopeGuard<E>>() }
/// ```
#[must_use = "if unused the scope closes immediately"]
#[derive(Debug)]
pub struct ScopeGuard<E: Engine> {
    pub(crate) engine: E,
    /// [`FrameId::NONE`] where there is nothing to close.
    pub(crate) id: FrameId,
    pub(crate) _not_send: NotSend,
}

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
    /// [`FrameId::NONE`] where there is nothing to close.
    pub(crate) id: FrameId,
    pub(crate) _not_send: NotSend,
}

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
    pub(crate) held: Option<(E, FrameId)>,
    pub(crate) sealed: bool,
    pub(crate) _not_send: NotSend,
}

/// Records a handle scope that was just opened in `engine`; the record closes when the guard is dropped.
///
/// Make it right after the engine's scope, so that it is dropped right before.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the action of `out-of-order`.
#[inline]
#[track_caller]
pub fn scope<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> ScopeGuard<E> {
    scope_at(engine, ScopeKind::HandleScope, Place::here(name))
}

/// As [`scope`], of another kind or opened elsewhere.
#[inline]
pub fn scope_at<E: Engine>(engine: E, kind: ScopeKind, place: Place) -> ScopeGuard<E> {
    let quick = match place.location {
        Spot::Source(location) => scope_quickly(engine, kind, place.name, location),
        _ => None,
    };
    quick.unwrap_or_else(|| scope_slowly(engine, kind, place))
}

/// As [`scope_at`], where nothing is to be said of it: `None` where there may be, or nothing is known yet of the engine's
/// instance. For engine layers, to leave out what they do only once for an instance. A place in pieces, for it stays in
/// registers then.
#[doc(hidden)]
#[inline(always)]
pub fn scope_quickly<E: Engine>(
    engine: E,
    kind: ScopeKind,
    name: Option<&'static str>,
    location: &'static Location<'static>,
) -> Option<ScopeGuard<E>> {
    let id = if process::start().is_off() {
        FrameId::NONE
    } else {
        let id = recent::open(engine, Some(kind), name, location)?;
        probes::scope_open(engine.isolate());
        id
    };
    Some(ScopeGuard {
        engine,
        id,
        _not_send: PhantomData,
    })
}

#[inline(never)]
fn scope_slowly<E: Engine>(engine: E, kind: ScopeKind, place: Place) -> ScopeGuard<E> {
    if recent::adopt(engine.isolate(), kind, place) {
        return ScopeGuard {
            engine,
            id: FrameId::NONE,
            _not_send: PhantomData,
        };
    }
    let held = entering(engine, |local| {
        local.let_be_quick(engine);
        if hooked::adopted(local, engine, kind, place) {
            return None;
        }
        judge::entered(local, engine, Beginning::Scope(kind), place);
        let budgeted = judge::budget(local, engine, u32::from(kind.holds_handles()));
        let (found, (id, swallowed), below) = local.stack(engine.isolate(), place, |stack| {
            let wanted = budgeted || stack.wants_handles();
            let seen = Seen {
                level: engine.level(),
                handles: wanted.then(|| engine.handles()).flatten(),
            };
            let outside = seen.level.map(|level| level.saturating_sub(kind.levels()));
            let found = stack
                .agree(outside)
                .or_else(|| stack.in_gc(Beginning::Scope(kind), place));
            let opened = stack.open_scope(kind, place, seen);
            stack.note_cursor(engine.cursor());
            (found, opened, stack.engine_is_below())
        })?;
        probes::scope_open(engine.isolate());
        let guard = ScopeGuard {
            engine,
            id,
            _not_send: PhantomData,
        };
        add(local, swallowed);
        if let Some(found) = found {
            violated(local, engine, found, below, || None);
        }
        Some(guard)
    });
    held.unwrap_or(ScopeGuard {
        engine,
        id: FrameId::NONE,
        _not_send: PhantomData,
    })
}

impl<E: Engine> Drop for ScopeGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self { engine, id, .. } = *self;
        if recent::close_scope(id) {
            probes::scope_close(engine.isolate());
        } else if id != FrameId::NONE {
            close_slowly(engine, id);
        }
    }
}

#[inline(never)]
fn close_slowly<E: Engine>(engine: E, id: FrameId) {
    probes::scope_close(engine.isolate());
    let _ = Local::with(|local| {
        judge::budget(local, engine, 0);
        let found = local.existing_stack(engine.isolate(), |stack| {
            judge::usage(engine, stack, id);
            stack
                .close_scope(id)
                .map(|finding| (finding, stack.engine_is_below()))
        });
        if let Some(Some((finding, below))) = found {
            violated(local, engine, finding, below, || None);
        }
    });
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
    let quick = match place.location {
        Spot::Source(location) => callback_quickly(engine, place.name, location),
        _ => None,
    };
    quick.unwrap_or_else(|| callback_slowly(engine, place, callee))
}

/// As [`callback_at`], where nothing is to be said of it: `None` where there may be.
#[doc(hidden)]
#[inline(always)]
pub fn callback_quickly<E: Engine>(
    engine: E,
    name: Option<&'static str>,
    location: &'static Location<'static>,
) -> Option<CallbackGuard<E>> {
    let id = if process::start().is_off() {
        FrameId::NONE
    } else {
        recent::open(engine, None, name, location)?
    };
    Some(CallbackGuard {
        engine,
        id,
        _not_send: PhantomData,
    })
}

#[inline(never)]
fn callback_slowly<E: Engine>(
    engine: E,
    place: Place,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<E> {
    entering(engine, |local| {
        let elsewhere = judge::entered(local, engine, Beginning::Callback, place);
        judge::budget(local, engine, 0);
        let (id, finding, below, hint) = local.stack(engine.isolate(), place, |stack| {
            let below = stack.engine_is_below();
            stack.set_strict(judge::is_strict(local));
            let level = engine.level();
            let found = stack
                .agree(level)
                .or_else(|| stack.in_gc(Beginning::Callback, place));
            let handles = stack.exposed(level).then(|| engine.handles()).flatten();
            let (id, missing) = stack.begin_callback(place, Seen { level, handles });
            let finding = found.or(missing);
            let hint = stack.callbacks_begun() == HINT_AFTER
                && stack.turns_begun() == 0
                && !stack.has_rested();
            (id, finding, below, hint)
        })?;
        // Before the reaction: one that panics takes the callback off the stack again.
        let guard = CallbackGuard {
            engine,
            id,
            _not_send: PhantomData,
        };
        let told = finding.and_then(|finding| violated(local, engine, finding, below, callee));
        if let Some(charge) = told.or(elsewhere) {
            let swallowed = local
                .existing_stack(engine.isolate(), |stack| stack.charge(id, charge))
                .flatten();
            add(local, swallowed);
        }
        if hint {
            process::hint_at_turns::<E>();
        }
        Some(guard)
    })
    .unwrap_or(CallbackGuard {
        engine,
        id: FrameId::NONE,
        _not_send: PhantomData,
    })
}

impl<E: Engine> CallbackGuard<E> {
    /// Of a callback that began under that name.
    #[inline]
    pub(crate) fn begun(engine: E, id: FrameId) -> Self {
        Self {
            engine,
            id,
            _not_send: PhantomData,
        }
    }

    /// Ends it, or gives it back if there is something to be said of it.
    #[inline]
    pub(crate) fn end_quickly(mut self) -> Result<(), Self> {
        if recent::end_callback(self.id) {
            self.id = FrameId::NONE;
            return Ok(());
        }
        Err(self)
    }
}

impl<E: Engine> Drop for CallbackGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self { engine, id, .. } = *self;
        if !recent::end_callback(id) && id != FrameId::NONE {
            end_slowly(engine, id);
        }
    }
}

#[inline(never)]
fn end_slowly<E: Engine>(engine: E, id: FrameId) {
    let _ = Local::with(|local| {
        let ended = local.existing_stack(engine.isolate(), |stack| {
            let exposed = stack.callback_is_exposed();
            let seen = Seen {
                level: engine.level(),
                handles: exposed.then(|| engine.handles()).flatten(),
            };
            (stack.end_callback(id, seen), stack.engine_is_below())
        });
        if let Some((outcome, below)) = ended {
            settle(local, engine, outcome, below);
        }
        judge::budget(local, engine, 0);
    });
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
    let held = entering(engine, |local| {
        local.let_be_quick(engine);
        judge::entered(local, engine, Beginning::Turn, place);
        let (found, id, below) = local.stack(engine.isolate(), place, |stack| {
            let seen = seen(engine);
            let found = stack
                .agree(seen.level)
                .or_else(|| stack.in_gc(Beginning::Turn, place));
            let id = stack.begin_turn(place, seen);
            stack.note_cursor(engine.cursor());
            (found, id, stack.engine_is_below())
        })?;
        probes::turn(engine.isolate());
        let guard = TurnGuard {
            held: Some((engine, id)),
            sealed: seal::seals_turns(engine) && engine.seal(id),
            _not_send: PhantomData,
        };
        if let Some(found) = found {
            violated(local, engine, found, below, || None);
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
        leaving(&mut self.held, |local, engine, id| {
            if sealed {
                engine.unseal(id);
            }
            let ended = local.existing_stack(engine.isolate(), |stack| {
                let seen = seen(engine);
                judge::usage_around(engine, stack, seen);
                (stack.end_turn(id, seen), stack.engine_is_below())
            });
            if let Some((outcome, below)) = ended {
                settle(local, engine, outcome, below);
            }
        });
    }
}

/// Ends the record of `engine`'s isolate on this thread. Call it while the isolate can still be read, just before it is
/// disposed.
///
/// # Panics and aborts
///
/// By the action of `never-closed`, if scopes are still open.
pub fn end_isolate<E: Engine>(engine: E) {
    let _ = Local::with(|local| {
        let Some(mut stack) = local.remove_stack(engine.isolate()) else {
            return;
        };
        let below = stack.engine_is_below();
        let findings = stack.end_isolate(seen(engine));
        if stack.callbacks_begun() > 0 && stack.turns_begun() == 0 && !stack.has_rested() {
            process::hint_at_turns::<E>();
        }
        let outcome = Outcome {
            findings,
            swallowed: None,
        };
        settle(local, engine, outcome, below);
        judge::advise(local, engine, below);
    });
}

/// Handle scopes open on this thread since the innermost turn began, as recorded by guards, in the isolate whose guard
/// was used last.
pub fn depth() -> u32 {
    Local::with(Local::depth).unwrap_or(0)
}

/// Runs `f` for a guard that comes to life; the first one of the process announces the checker.
#[inline]
pub(crate) fn entering<E: Engine, R>(engine: E, f: impl FnOnce(&Local) -> Option<R>) -> Option<R> {
    if process::start().is_off() {
        return None;
    }
    if process::start().is_unannounced() {
        process::announce(engine);
        if process::start().is_off() {
            return None;
        }
    }
    Local::with(f).flatten()
}

/// Runs `f` for a guard that is dropped, unless it was never alive or the thread's locals are gone.
#[inline]
pub(crate) fn leaving<E: Engine>(
    held: &mut Option<(E, FrameId)>,
    f: impl FnOnce(&Local, E, FrameId),
) {
    if let Some((engine, id)) = held.take() {
        let _ = Local::with(|local| f(local, engine, id));
    }
}

#[inline]
pub(crate) fn seen<E: Engine>(engine: E) -> Seen {
    Seen {
        level: engine.level(),
        handles: engine.handles(),
    }
}

#[cfg(all(test, feature = "testing", not(loom)))]
mod tests {
    use super::*;
    use crate::IsolateId;
    use crate::engine::fake::Fake;
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
