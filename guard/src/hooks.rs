//! For what interposes the engine's own functions, so that code is seen that uses no guard: the same record, and the same
//! rules.
//!
//! A hook tells by which address it is called, and where the scope lies. Both are only stored; the names are looked up where
//! a violation is described. Where a guard tells of the same scope or call, it is counted once.
//!
//! What runs while a violation is told, of the checker itself or of a subscriber to its events, is not recorded.

use crate::describe::beginning::Beginning;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::IsolateId;
use crate::engine::interface::Engine;
use crate::guards::callback::CallbackGuard;
use crate::guards::callback::callback_at;
use crate::guards::session::entering;
use crate::guards::session::seen;
use crate::guards::verdicts;
use crate::pipeline::{add, violated};
use crate::place::Place;
use crate::process::{announce, global};
use crate::symbolize::names;
use crate::thread::fast_path::Call;
use crate::thread::state::ThreadState;
use crate::thread::{fast_path, first_user};
/// How far above the stack pointer a scope lies that is held by a function still running. What is farther away is in a box,
/// or on another stack, and is looked into at once, for later its opener may be gone.
const NEAR: usize = 1 << 16;

/// A scope of `engine` was constructed at the address `storage`, by a function that returns to `ip`.
///
/// Call it right after the construction.
///
/// # Aborts
///
/// By the actions of `out-of-order`, `wrong-thread`, `wrong-isolate` and `scope-budget`; `panic` aborts too, for the caller
/// cannot be unwound.
#[inline]
pub fn scope_constructed<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) {
    if !global::start().is_off() && !constructed_fast(engine, kind, ip, storage) {
        constructed_slow(engine, kind, ip, storage);
    }
}

#[inline(always)]
fn constructed_fast<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) -> bool {
    let here = std::ptr::from_ref(&ip).addr();
    storage.wrapping_sub(here) < NEAR && fast_path::construct(engine, kind, ip, storage)
}

#[inline(never)]
fn constructed_slow<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) {
    serving(engine, |thread| {
        thread.set_fast_isolate(engine);
        let here = std::ptr::from_ref(&ip).addr();
        let place = if storage.wrapping_sub(here) < NEAR {
            Place::code(ip, storage)
        } else {
            Place::code(names::user_of_stack(E::WORDING.classifier).unwrap_or(ip), 0)
        };
        verdicts::entered(thread, engine, Beginning::Scope(kind), place);
        let budgeted = verdicts::budget(thread, engine, u32::from(kind.holds_handles()));
        let (found, late, below) = thread.stack(engine.isolate(), place, |stack| {
            let wanted = budgeted || stack.wants_handles();
            let seen = EngineCounts {
                level: engine.level(),
                handles: wanted.then(|| engine.handles()).flatten(),
            };
            let outside = seen.level.map(|level| level.saturating_sub(kind.levels()));
            let found = stack
                .resync(outside)
                .or_else(|| stack.in_gc(Beginning::Scope(kind), place))
                .or_else(|| stack.reused(kind, place, storage, seen));
            let late = stack.construct_scope(kind, place, storage, seen);
            stack.note_cursor(engine.cursor());
            (found, late, stack.engine_is_below())
        })?;
        add(thread, late);
        if let Some(found) = found {
            violated(thread, engine, found, below, || None);
        }
        Some(())
    });
}

/// The scope of that kind at the address `storage` is about to be destroyed.
///
/// # Aborts
///
/// By the action of `out-of-order`, as [`scope_constructed`].
#[inline]
pub fn scope_destructs<E: Engine>(engine: E, kind: ScopeKind, storage: usize) {
    if !global::start().is_off() && !fast_path::destruct(engine.isolate(), storage) {
        destructs_slow(engine, kind, storage);
    }
}

#[inline(never)]
fn destructs_slow<E: Engine>(engine: E, kind: ScopeKind, storage: usize) {
    serving(engine, |thread| {
        verdicts::budget(thread, engine, 0);
        let (finding, below) = thread.existing_stack(engine.isolate(), |stack| {
            if let Some(id) = stack.innermost() {
                verdicts::usage(engine, stack, id);
            }
            (
                stack.destruct_scope(kind, storage, engine.level()),
                stack.engine_is_below(),
            )
        })?;
        if let Some(finding) = finding {
            violated(thread, engine, finding, below, || None);
        }
        Some(())
    });
}

/// As [`callback_at`](crate::callback_at), of a call by a function that returns to `ip`, in the isolate that is entered, of what the
/// handle at the address `handle` stands for (0 where there is none). Where that is surely another isolate's, `wrong-isolate` is
/// told of it. Nothing where a guard has told of this call already. To be ended by [`callback_ends`].
#[inline]
pub fn callback<E: Engine>(
    engine: E,
    ip: usize,
    handle: usize,
    of: fn(IsolateId) -> E,
    callee: impl FnOnce() -> Option<String>,
) -> Option<CallbackGuard<E>> {
    if global::start().is_off() {
        return None;
    }
    let place = Place::code(ip, std::ptr::from_ref(&ip).addr());
    match fast_path::call(engine.isolate(), place) {
        Call::Told => None,
        Call::Written(id) => Some(CallbackGuard::begun(engine, id)),
        Call::Ask => callback_slow(engine, place, handle, of, callee),
    }
}

#[inline(never)]
fn callback_slow<E: Engine>(
    engine: E,
    place: Place,
    handle: usize,
    of: fn(IsolateId) -> E,
    callee: impl FnOnce() -> Option<String>,
) -> Option<CallbackGuard<E>> {
    serving(engine, |thread| {
        if !engine.holds(handle) {
            let isolates = thread.isolates().into_iter();
            let others = isolates.filter(|&other| other != engine.isolate()).map(of);
            if let Some(owner) = others.into_iter().find(|other| other.holds(handle)) {
                let flushed_up_to = if is_on_the_way(thread, owner.isolate(), owner.level()) {
                    thread.existing_stack(owner.isolate(), |stack| stack.last_report())?
                } else {
                    verdicts::entered(thread, owner, Beginning::Callback, place)
                }?;
                // In the isolate that is entered it is a callback all the same, of which nothing more is to be said.
                let id = thread.stack(engine.isolate(), place, |stack| {
                    let (id, _) = stack.begin_callback(place, seen(engine));
                    stack.report_ref(id, flushed_up_to);
                    id
                })?;
                return Some(CallbackGuard::begun(engine, id));
            }
        }
        if is_on_the_way(thread, engine.isolate(), engine.level()) {
            return None;
        }
        Some(callback_at(engine, place, callee))
    })
}

/// Whether a guard on this thread has told of the call already that a hook sees, into `isolate` at `level`.
fn is_on_the_way(thread: &ThreadState, isolate: IsolateId, level: Option<u32>) -> bool {
    thread.existing_stack(isolate, |stack| stack.is_on_the_way(level)) == Some(true)
}

/// A call by a function that returns to `ip`, on a thread that has entered no isolate. Whose function is called is not known; of
/// a process with one isolate it is that one's, and `wrong-thread` is told of it. `engine` makes one of its name, and does not
/// touch it.
#[cold]
pub fn callback_on_no_isolate<E: Engine>(ip: usize, engine: impl FnOnce(IsolateId) -> E) {
    if global::start().is_off() {
        return;
    }
    if let Some(engine) = first_user::only().map(engine) {
        serving(engine, |thread| {
            if !is_on_the_way(thread, engine.isolate(), None) {
                let place = Place::code(ip, std::ptr::from_ref(&ip).addr());
                verdicts::entered(thread, engine, Beginning::Callback, place);
            }
            Some(())
        });
    }
}

/// Ends a [`callback`].
#[inline]
pub fn callback_ends<E: Engine>(callback: Option<CallbackGuard<E>>) {
    if let Some(callback) = callback
        && let Err(callback) = callback.end_fast()
    {
        let _ = ThreadState::with(|thread| thread.in_hook(|| drop(callback)));
    }
}

/// Runs `f`, which tells of something else than a scope or a call, for a hook: `panic` aborts then.
#[inline]
pub fn serve(f: impl FnOnce()) {
    let _ = ThreadState::with(|thread| {
        if !thread.is_reporting() {
            thread.in_hook(f);
        }
    });
}

/// Whether the guard of a scope that was just opened tells of one that a hook has told of.
#[inline]
pub(crate) fn adopted<E: Engine>(
    thread: &ThreadState,
    engine: E,
    kind: ScopeKind,
    place: Place,
) -> bool {
    thread.existing_stack(engine.isolate(), |stack| stack.adopt(kind, place)) == Some(true)
}

/// The host is about to have the engine do its own pending work, by a function that returns to `ip`: where it does so again
/// and again, it waits for its next turn. See [`ScopeStack::host_waits`](crate::detect::stack::ScopeStack::host_waits).
///
/// # Aborts
///
/// By the action of `outer-growth`.
pub fn host_waits<E: Engine>(engine: E, ip: usize) {
    serving(engine, |thread| {
        let place = Place::code(ip, std::ptr::from_ref(&ip).addr());
        let (finding, below) = thread.existing_stack(engine.isolate(), |stack| {
            let finding = stack.host_waits(place, seen(engine));
            (finding, stack.engine_is_below())
        })?;
        if let Some(finding) = finding {
            violated(thread, engine, finding, below, || None);
        }
        Some(())
    });
}

/// To be called before `main` where none of the hooks took effect: says `why`.
///
/// # Exits
///
/// With status 2, if `require-hooks` is set in the variable `HANDLEGUARD`.
pub fn none_took_effect(why: &str) {
    announce::announce_no_hook(why);
}

/// Runs `f` for a hook, unless a violation is being told.
#[inline]
fn serving<E: Engine, R>(engine: E, f: impl FnOnce(&ThreadState) -> Option<R>) -> Option<R> {
    if global::start().is_off() {
        return None;
    }
    entering(engine, |thread| {
        if thread.is_reporting() {
            return None;
        }
        thread.in_hook(|| f(thread))
    })
}
