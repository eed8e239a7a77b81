//! The guard of a handle scope.

use crate::describe::beginning::Beginning;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::session::{NotSend, entering};
use crate::guards::verdicts;
use crate::hooks;
use crate::pipeline::{add, violated};
use crate::place::{Location, Place};
use crate::process::global;
use crate::react::usdt;
use crate::thread::fast_path;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;
use std::panic;
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
    /// [`EntryId::NONE`] where there is nothing to close.
    pub(crate) id: EntryId,
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
    let fast = match place.location {
        Location::Source(location) => scope_fast(engine, kind, place.name, location),
        _ => None,
    };
    fast.unwrap_or_else(|| scope_slow(engine, kind, place))
}

/// As [`scope_at`], where nothing is to be said of it: `None` where there may be, or nothing is known yet of the engine's
/// instance. For engine layers, to leave out what they do only once for an instance. A place in pieces, for it stays in
/// registers then.
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
    Some(ScopeGuard {
        engine,
        id,
        _not_send: PhantomData,
    })
}

#[inline(never)]
fn scope_slow<E: Engine>(engine: E, kind: ScopeKind, place: Place) -> ScopeGuard<E> {
    if fast_path::adopt(engine.isolate(), kind, place) {
        return ScopeGuard {
            engine,
            id: EntryId::NONE,
            _not_send: PhantomData,
        };
    }
    let held = entering(engine, |thread| {
        thread.set_fast_isolate(engine);
        if hooks::adopted(thread, engine, kind, place) {
            return None;
        }
        verdicts::entered(thread, engine, Beginning::Scope(kind), place);
        let budgeted = verdicts::budget(thread, engine, u32::from(kind.holds_handles()));
        let (found, (id, late), below) = thread.stack(engine.isolate(), place, |stack| {
            let wanted = budgeted || stack.wants_handles();
            let seen = EngineCounts {
                level: engine.level(),
                handles: wanted.then(|| engine.handles()).flatten(),
            };
            let outside = seen.level.map(|level| level.saturating_sub(kind.levels()));
            let found = stack
                .resync(outside)
                .or_else(|| stack.in_gc(Beginning::Scope(kind), place));
            let opened = stack.open_scope(kind, place, seen);
            stack.note_cursor(engine.cursor());
            (found, opened, stack.engine_is_below())
        })?;
        usdt::scope_open(engine.isolate());
        let guard = ScopeGuard {
            engine,
            id,
            _not_send: PhantomData,
        };
        add(thread, late);
        if let Some(found) = found {
            violated(thread, engine, found, below, || None);
        }
        Some(guard)
    });
    held.unwrap_or(ScopeGuard {
        engine,
        id: EntryId::NONE,
        _not_send: PhantomData,
    })
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
    let _ = ThreadState::with(|thread| {
        verdicts::budget(thread, engine, 0);
        let found = thread.existing_stack(engine.isolate(), |stack| {
            verdicts::usage(engine, stack, id);
            stack
                .close_scope(id)
                .map(|finding| (finding, stack.engine_is_below()))
        });
        if let Some(Some((finding, below))) = found {
            violated(thread, engine, finding, below, || None);
        }
    });
}

/// Handle scopes open on this thread since the innermost turn began, as recorded by guards, in the isolate whose guard
/// was used last.
pub fn depth() -> u32 {
    ThreadState::with(ThreadState::depth).unwrap_or(0)
}
