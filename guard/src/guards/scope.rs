//! The guard of a handle scope.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::scope::ScopeKind;
use crate::detect::stack::ScopeStack;
use crate::detect::stack::outcome::LateHandles;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::engine_work;
use crate::guards::session::{NotSend, begins, entering, leaving};
use crate::guards::verdicts;
use crate::pipeline::{Session, add_late, violated};
use crate::place::{Location, Place};
use crate::process::global;
use crate::react::usdt;
use crate::thread::fast_path;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;
use std::panic;

/// Records that a handle scope is open, as long as the guard lives. Made by [`scope`].
///
/// A guard that outlives its isolate does nothing when it is dropped.
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
    engine: E,
    /// [`EntryId::NONE`] if there is nothing to close.
    id: EntryId,
    _not_send: NotSend,
}

/// Records a handle scope that was just opened in `isolate`; the record closes when the guard is dropped.
///
/// Make it right after the engine's scope, so that it is dropped right before.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the action of `out-of-order`.
#[inline]
#[track_caller]
pub fn scope<L: LiveIsolate>(
    isolate: L,
    name: impl Into<Option<&'static str>>,
) -> ScopeGuard<L::Engine> {
    scope_at(isolate, ScopeKind::HandleScope, Place::here(name))
}

/// As [`scope`], for a scope of another kind or opened at another place.
#[inline]
pub fn scope_at<L: LiveIsolate>(
    isolate: L,
    kind: ScopeKind,
    place: Place,
) -> ScopeGuard<L::Engine> {
    let fast = match place.location {
        Location::Source(location) => scope_fast(isolate.engine(), kind, place.name, location),
        _ => None,
    };
    fast.unwrap_or_else(|| scope_slow(isolate, kind, place))
}

/// The fast path of [`scope_at`]. Returns `None` if the slow path must run, as it must for the first scope of an isolate: an
/// engine layer does its work for a new isolate then. Takes the parts of a [`Place`] separately, so that they stay in
/// registers.
#[doc(hidden)]
#[inline(always)]
pub fn scope_fast<E: Engine>(
    engine: E,
    kind: ScopeKind,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> Option<ScopeGuard<E>> {
    let id = if global::start().is_off() {
        EntryId::NONE
    } else {
        let id = fast_path::open(engine, Some(kind), name, location)?;
        usdt::scope_open(engine.isolate());
        id
    };
    Some(ScopeGuard::of(engine, id))
}

#[inline(never)]
fn scope_slow<L: LiveIsolate>(isolate: L, kind: ScopeKind, place: Place) -> ScopeGuard<L::Engine> {
    let engine = isolate.engine();
    let id = if fast_path::adopt(engine.isolate(), kind, place) {
        None
    } else {
        open(isolate, kind, place)
    };
    ScopeGuard::of(engine, id.unwrap_or(EntryId::NONE))
}

/// Records the scope, unless a hook has. The id of its entry.
fn open<L: LiveIsolate>(isolate: L, kind: ScopeKind, place: Place) -> Option<EntryId> {
    let engine = isolate.engine();
    if engine_work::guard_sees_beginning(engine, Beginning::Scope(kind), place) {
        return None;
    }
    entering(isolate, |session| {
        let thread = session.thread;
        thread.set_fast_isolate(isolate, session.checker.allows_fast_path());
        if thread.adopt(engine.isolate(), kind, place) {
            return None;
        }
        let guard = record_slow(session, isolate, kind, place, |stack, counts, found| {
            let (id, late) = stack.open_scope(kind, place, counts);
            usdt::scope_open(engine.isolate());
            // A guard already, so that a report that panics closes the scope again.
            (found, ScopeGuard::of(engine, id), late)
        })?;
        Some(guard.into_id())
    })
}

/// Judges a scope that the engine has opened, and records it by `record`, which gets the engine's counts and what was found so
/// far, and returns what is found in the end, what it recorded, and late handles of an earlier report.
pub(crate) fn record_slow<L: LiveIsolate, R>(
    session: Session<'_>,
    isolate: L,
    kind: ScopeKind,
    place: Place,
    record: impl FnOnce(
        &mut ScopeStack,
        EngineCounts,
        Option<Finding>,
    ) -> (Option<Finding>, R, Option<LateHandles>),
) -> Option<R> {
    let engine = isolate.engine();
    let beginning = Beginning::Scope(kind);
    begins(session, isolate, place, kind.levels());
    verdicts::entered(session, engine, beginning, place);
    let budgeted = verdicts::budget(session, engine, u32::from(kind.holds_handles()));
    let recorded = session.thread.record(engine.isolate(), place, |stack| {
        let counts = EngineCounts {
            level: isolate.level(),
            // Counting handles costs a call of the engine, so only where a verdict needs the number.
            handles: if budgeted || stack.wants_handles() {
                isolate.handles()
            } else {
                None
            },
        };
        let outside = counts
            .level
            .map(|level| level.saturating_sub(kind.levels()));
        stack.look_at_aftermath(|| isolate.aftermath());
        let found = stack
            .resync(outside)
            .or_else(|| stack.in_gc(beginning, place));
        let (found, recorded, late) = record(stack, counts, found);
        stack.note_cursor(isolate.cursor());
        (found, recorded, late, stack.engine_is_below())
    });
    let (found, recorded, late, below) = recorded?;
    add_late(session, late);
    if let Some(found) = found {
        violated(session, engine, found, below, || None);
    }
    Some(recorded)
}

impl<E: Engine> ScopeGuard<E> {
    /// The guard of the open scope `id`.
    #[inline(always)]
    pub(crate) fn of(engine: E, id: EntryId) -> Self {
        Self {
            engine,
            id,
            _not_send: PhantomData,
        }
    }

    /// Leaves the scope open, without a guard.
    #[inline]
    pub(crate) fn into_id(mut self) -> EntryId {
        std::mem::replace(&mut self.id, EntryId::NONE)
    }
}

impl<E: Engine> Drop for ScopeGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Self { engine, id, .. } = *self;
        if fast_path::close_scope(id) {
            usdt::scope_close(engine.isolate());
        } else if id != EntryId::NONE {
            close_slow(engine, id);
        }
    }
}

#[inline(never)]
fn close_slow<E: Engine>(engine: E, id: EntryId) {
    usdt::scope_close(engine.isolate());
    let _ = leaving(|session| {
        verdicts::budget(session, engine, 0);
        let found = session.thread.recorded_entry(engine, id, |live, stack| {
            verdicts::record_scope_stats(session.checker, live, stack, id);
            verdicts::record_outermost(live, stack);
            let finding = stack.close_scope(id)?;
            Some((finding, stack.engine_is_below()))
        });
        if let Some(Some((finding, below))) = found {
            violated(session, engine, finding, below, || None);
        }
    });
}

/// Handle scopes open on this thread since the innermost turn began, as recorded by guards, in the isolate whose guard was
/// used last.
pub fn depth() -> u32 {
    ThreadState::with(ThreadState::depth).unwrap_or(0)
}
