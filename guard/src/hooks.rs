//! The API for code that interposes the engine's own functions, so that code without guards is seen: the same record, and
//! the same rules.
//!
//! A hook passes the address to which the hooked function returns, and the address of the engine's scope object. Both are
//! only stored; names are looked up when a violation is described. Where a guard records the same scope or call, it counts
//! once.
//!
//! What runs while a report is in progress, in the checker itself or in a subscriber to its events, is not recorded.

use crate::describe::beginning::Beginning;
use crate::describe::makers::Seen;
use crate::describe::scope::ScopeKind;
use crate::describe::sibling::Sibling;
use crate::detect::blocks::SAMPLED_FROM;
use crate::detect::stack::outcome::Outcome;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::callback::{CallbackGuard, callback_at, checkpoint_at};
use crate::guards::engine_work;
use crate::guards::filling;
use crate::guards::isolate::end_isolate;
pub use crate::guards::persistent::{persistent_handle_made, persistent_handle_reset};
use crate::guards::scope::record_slow;
use crate::guards::session::{begins, entering, leaving};
use crate::guards::verdicts;
use crate::pipeline::{Session, settle, violated};
use crate::place::Place;
use crate::process::{announce, global, seal};
use crate::symbolize::names;
use crate::thread::pending_log::{Call, NewestBlock};
use crate::thread::state::ThreadState;
use crate::thread::{fast_path, isolates};
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};

/// How far above the stack pointer a scope lies, in bytes, that a running function holds. A scope farther away is in a box or
/// on another stack; its opener is looked up at once, for later the opener may be gone.
const NEAR: usize = 1 << 16;

/// Records a scope of `isolate` that was constructed at the address `storage` by a function that returns to `ip`.
///
/// Call it right after the construction.
///
/// # Aborts
///
/// By the actions of `out-of-order`, `wrong-thread`, `wrong-isolate` and `scope-budget`; `panic` aborts too, for the caller
/// cannot be unwound.
#[inline]
pub fn scope_constructed<L: LiveIsolate>(isolate: L, kind: ScopeKind, ip: usize, storage: usize) {
    if !global::start().is_off() && !constructed_fast(isolate.engine(), kind, ip, storage) {
        constructed_slow(isolate, kind, ip, storage);
    }
}

#[inline(always)]
fn constructed_fast<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) -> bool {
    let here = (&raw const ip).addr();
    storage.wrapping_sub(here) < NEAR && fast_path::construct(engine, kind, ip, storage)
}

#[inline(never)]
fn constructed_slow<L: LiveIsolate>(isolate: L, kind: ScopeKind, ip: usize, storage: usize) {
    let begins_at = Place::code(ip, (&raw const ip).addr());
    if engine_work::hook_sees_beginning(isolate.engine(), Beginning::Scope(kind), begins_at) {
        return;
    }
    serving(isolate, |session| {
        let thread = session.thread;
        thread.set_fast_isolate(isolate, session.checker.allows_fast_path());
        let here = (&raw const ip).addr();
        let place = if storage.wrapping_sub(here) < NEAR {
            Place::code(ip, storage)
        } else {
            names::kept(Place::code(ip, here))
        };
        record_slow(session, isolate, kind, place, |stack, counts, found| {
            let found = found.or_else(|| stack.claim_storage(kind, place, storage, counts));
            let late = stack.construct_scope(kind, place, storage, counts);
            (found, (), late)
        })
    });
}

/// Records that the scope of that kind at the address `storage` is about to be destroyed, by a function that returns to `ip`.
///
/// # Aborts
///
/// By the action of `out-of-order`, as [`scope_constructed`].
#[inline]
pub fn scope_destructs<L: LiveIsolate>(isolate: L, kind: ScopeKind, ip: usize, storage: usize) {
    let id = isolate.engine().isolate();
    if !global::start().is_off() && !fast_path::destruct(id, storage) {
        destructs_slow(isolate, kind, ip, storage);
    }
}

#[inline(never)]
fn destructs_slow<L: LiveIsolate>(isolate: L, kind: ScopeKind, ip: usize, storage: usize) {
    let engine = isolate.engine();
    if fast_path::destruct_in_two_blocks(engine.isolate(), storage)
        || engine_work::hook_sees_end(engine)
    {
        return;
    }
    let place = Place::code(ip, (&raw const ip).addr());
    serving(isolate, |session| {
        verdicts::budget(session, engine, 0);
        let (finding, below) = session.thread.existing_record(engine.isolate(), |stack| {
            if let Some(id) = stack.innermost() {
                verdicts::record_scope_stats(session.checker, isolate, stack, id);
                verdicts::record_outermost(isolate, stack);
            }
            let finding = if kind == ScopeKind::TryCatch && !stack.knows_storage(storage) {
                let around = isolate.try_catches(storage);
                around.and_then(|around| stack.destruct_try_catch(storage, place, around))
            } else {
                stack.destruct_scope(kind, storage, place, isolate.level())
            };
            (finding, stack.engine_is_below())
        })?;
        if let Some(finding) = finding {
            violated(session, engine, finding, below, || None);
        }
        Some(())
    });
}

/// Records a call into JavaScript that a hooked function makes, as `callback_at` does. `isolate` is
/// the current one, `ip` the address to which the function returns, `handles` the addresses of the handles that it gets: callee,
/// receiver, arguments. Reports `wrong-isolate` if another isolate of this thread, which `of` makes from its identity, holds one of them.
///
/// Returns `None` if a guard has recorded the call already. [`callback_ends`] ends the call.
#[inline]
pub fn callback<L: LiveIsolate>(
    isolate: L,
    ip: usize,
    handles: impl Iterator<Item = usize>,
    of: fn(IsolateId) -> L::Engine,
    callee: impl FnOnce() -> Option<String>,
) -> Option<CallbackGuard<L::Engine>> {
    let place = Place::code(ip, (&raw const ip).addr());
    begin(isolate, place, || {
        callback_slow(isolate, place, handles, of, callee)
    })
}

/// Records a checkpoint for microtasks that a hooked function makes, as `checkpoint_at` does. `isolate` is the current one, `ip`
/// the address to which the function returns.
///
/// Returns `None` if a guard has recorded the checkpoint already. [`callback_ends`] ends it.
#[inline]
pub fn checkpoint<L: LiveIsolate>(isolate: L, ip: usize) -> Option<CallbackGuard<L::Engine>> {
    let place = Place::code(ip, (&raw const ip).addr());
    begin(isolate, place, || {
        serving(isolate, |session| {
            let is_recorded =
                is_recorded(session.thread, isolate.engine().isolate(), isolate.level());
            (!is_recorded).then(|| checkpoint_at(isolate, place))
        })
    })
}

/// Records on the fast path that the host enters JavaScript at `place`, or by `slow` where that path cannot.
#[inline(always)]
fn begin<L: LiveIsolate>(
    isolate: L,
    place: Place,
    slow: impl FnOnce() -> Option<CallbackGuard<L::Engine>>,
) -> Option<CallbackGuard<L::Engine>> {
    if global::start().is_off() {
        return None;
    }
    let engine = isolate.engine();
    match fast_path::call(engine.isolate(), place) {
        Call::Recorded => None,
        Call::Logged(id) => Some(CallbackGuard::of(engine, id)),
        Call::Slow => slow(),
    }
}

#[inline(never)]
fn callback_slow<L: LiveIsolate>(
    isolate: L,
    place: Place,
    handles: impl Iterator<Item = usize>,
    of: fn(IsolateId) -> L::Engine,
    callee: impl FnOnce() -> Option<String>,
) -> Option<CallbackGuard<L::Engine>> {
    let engine = isolate.engine();
    if engine_work::hook_sees_beginning(engine, Beginning::Callback, place) {
        return None;
    }
    serving(isolate, |session| {
        let thread = session.thread;
        if let Some(owner) = owner_of(session, isolate, handles, of) {
            let is_recorded = thread.recorded(owner, |live, stack| {
                let report = stack.last_report();
                stack.call_is_recorded(live.level()).then_some(report)
            });
            let report_ref = match is_recorded.flatten() {
                Some(report) => report,
                None => verdicts::entered(session, owner, Beginning::Callback, place),
            }?;
            // The call is a callback of the current isolate all the same; the report above covers it.
            let id = thread.record(engine.isolate(), place, |stack| {
                let (id, _) = stack.begin_callback(place, isolate.counts());
                stack.set_report(id, report_ref);
                id
            })?;
            return Some(CallbackGuard::of(engine, id));
        }
        if is_recorded(thread, engine.isolate(), isolate.level()) {
            return None;
        }
        Some(callback_at(isolate, place, callee))
    })
}

/// The other isolate of this thread that holds one of `handles`, if there is one.
fn owner_of<L: LiveIsolate>(
    session: Session<'_>,
    isolate: L,
    mut handles: impl Iterator<Item = usize>,
    of: fn(IsolateId) -> L::Engine,
) -> Option<L::Engine> {
    let own = isolate.engine().isolate();
    let mut others = session.thread.isolates();
    others.retain(|&other| other != own);
    if others.is_empty() {
        return None;
    }
    handles.find_map(|handle| {
        if isolate.holds(handle) {
            return None;
        }
        others.iter().copied().map(of).find(|&other| {
            let holds = session.thread.recorded(other, |live, _| live.holds(handle));
            holds == Some(true)
        })
    })
}

/// Whether a guard on this thread has recorded the call that a hook sees, into `isolate` at `level`.
fn is_recorded(thread: &ThreadState, isolate: IsolateId, level: Option<u32>) -> bool {
    thread.existing_record(isolate, |stack| stack.call_is_recorded(level)) == Some(true)
}

/// Records a call by a function that returns to `ip`, on a thread that has entered no isolate. Which isolate the callee
/// belongs to is unknown; if the process uses one isolate only, it is that one, which `engine` makes from its identity, and
/// `wrong-thread` is reported. The isolate itself is not touched.
#[cold]
pub fn callback_on_no_isolate<E: Engine>(ip: usize, engine: impl FnOnce(IsolateId) -> E) {
    if global::start().is_off() {
        return;
    }
    if let Some(engine) = isolates::only().map(engine) {
        let _ = leaving(|session| {
            let thread = session.thread;
            if thread.is_reporting() || is_recorded(thread, engine.isolate(), None) {
                return;
            }
            thread.in_hook(|| {
                let place = Place::code(ip, (&raw const ip).addr());
                verdicts::entered(session, engine, Beginning::Callback, place);
            });
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

/// Records that the host has called a function of the engine that may run script, from inside that function, in a turn that
/// [is watched](LiveIsolate::watch): `outer-growth` names the function of the host's that made the call, if handles were made before it
/// directly under the turn. The engine has opened one scope of its own for the function.
pub fn engine_called<L: LiveIsolate>(isolate: L) {
    serving(isolate, |Session { thread, .. }| {
        let id = isolate.engine().isolate();
        let counts = isolate.counts();
        let after = thread.existing_record(id, |stack| stack.grown_at_call(counts))??;
        let stack = CapturedStack::from(Origin::here(), UnwindMethod::Tables);
        thread.caught.add(id, after, stack.ips(), Seen::Calling);
        Some(())
    });
}

/// Runs `f`, which records something else than a scope or a call, for a hook: the action `panic` aborts in it.
#[inline]
pub fn serve(f: impl FnOnce()) {
    let _ = ThreadState::with(|thread| {
        if !thread.is_reporting() {
            thread.in_hook(f);
        }
    });
}

/// Ends the records of `isolate` as [`end_isolate`] does, for a hook: the action `panic` aborts in it. Always ends them: also
/// while a report is in progress, and while the locals of this thread are being destroyed.
pub fn isolate_ends<L: LiveIsolate>(isolate: L) {
    let end = || end_isolate(isolate);
    if ThreadState::with(|thread| thread.in_hook(end)).is_none() {
        end();
    }
}

/// Records that this thread has just entered `what` in `isolate`, by a function that returns to `ip`. `storage` is the address of the
/// engine's scope object; 0 for a context, which has none.
#[inline]
pub fn sibling_begins(isolate: IsolateId, what: Sibling, storage: usize, ip: usize) {
    if global::start().is_off() {
        return;
    }
    let place = Place::code(ip, (&raw const ip).addr());
    // Nothing is inlined in a debug build, so the address lies in the crate that binds the engine, and the user's function will have
    // returned when it is named.
    let place = match cfg!(debug_assertions) {
        true => names::kept(place),
        false => place.without_stack(),
    };
    let _ = ThreadState::with(|thread| {
        if !thread.is_reporting() {
            thread.siblings.begin(isolate, what, storage, place);
        }
    });
}

/// Records that this thread is about to leave what [began](sibling_begins).
#[inline]
pub fn sibling_ends(isolate: IsolateId, what: Sibling, storage: usize) {
    let _ = ThreadState::with(|thread| {
        if !thread.is_reporting() {
            thread.siblings.end(isolate, what, storage);
        }
    });
}

/// Records that the host is about to let the engine do its own pending work, by a function that returns to `ip`. A host that
/// does so again and again waits there for its next turn, and the checker infers a turn.
///
/// # Aborts
///
/// By the action of `outer-growth`.
pub fn host_pumps<L: LiveIsolate>(isolate: L, ip: usize) {
    let engine = isolate.engine();
    serving(isolate, |session| {
        let place = Place::code(ip, (&raw const ip).addr());
        begins(session, isolate, place, 0);
        let Session { thread, .. } = session;
        let id = engine.isolate();
        let watched = thread.existing_record(id, |stack| stack.end_watch_of_pumped())?;
        if let Some(scope) = watched {
            isolate.unseal(scope);
        }
        let counts = isolate.counts();
        let (finding, pumped, below) = thread.existing_record(id, |stack| {
            let finding = stack.infer_turn(place, counts);
            (finding, stack.pumped(counts.level), stack.engine_is_below())
        })?;
        if let Some(finding) = finding {
            let outcome = Outcome {
                findings: vec![finding],
                late: None,
            };
            settle(
                session,
                engine,
                watched.unwrap_or(EntryId::NONE),
                outcome,
                below,
            );
        }
        if let Some(scope) = watched {
            thread.caught.take_since(id, scope);
        }
        let (scope, number) = pumped?;
        if seal::watches(session, isolate, place, number) && isolate.watch(scope) {
            thread.existing_record(id, |stack| stack.watch_pumped());
        }
        Some(())
    });
}

/// Records that the engine begins a block of handles, for a handle that is about to be made in `isolate`. `index` counts the
/// blocks from 0, each of which holds `size` handles. Call it before the engine begins the block, with its counts as they are.
///
/// A scope's third block and each further one are samples of the [handle profile](crate::Report::profile).
///
/// # Aborts
///
/// By the action of `scope-growth`.
#[inline]
pub fn block_begins<L: LiveIsolate>(isolate: L, index: u64, size: u64) {
    if global::start().is_off() {
        return;
    }
    let id = isolate.engine().isolate();
    let blocks = isolate.level().zip(usize::try_from(index).ok());
    let blocks = blocks.and_then(|(level, index)| {
        let begun = ThreadState::with(|thread| thread.begin_block(id, index, level));
        Some((level, begun??))
    });
    let Some((level, blocks)) = blocks else {
        return;
    };
    fast_path::block_begins(NewestBlock {
        isolate: id.0,
        level,
        in_a_row: blocks,
        bytes: usize::try_from(size)
            .unwrap_or(0)
            .saturating_mul(size_of::<usize>()),
    });
    if blocks >= SAMPLED_FROM {
        block_begins_slow(isolate, level, blocks, size);
    }
}

#[inline(never)]
fn block_begins_slow<L: LiveIsolate>(isolate: L, level: u32, blocks: usize, size: u64) {
    serving(isolate, |session| {
        filling::sample(session, isolate, level, blocks, size);
        Some(())
    });
}

/// Prints that no hook took effect, and `why`. To be called before `main`.
///
/// # Exits
///
/// With status 2, if the variable `HANDLEGUARD` sets `require-hooks`.
pub fn none_took_effect(why: &str) {
    announce::announce_no_hook(why);
}

/// Runs `f` for a hook, unless a report is in progress on this thread.
#[inline]
fn serving<L: LiveIsolate, R>(isolate: L, f: impl FnOnce(Session<'_>) -> Option<R>) -> Option<R> {
    if global::start().is_off() {
        return None;
    }
    entering(isolate, |session| {
        if session.thread.is_reporting() {
            return None;
        }
        session.thread.in_hook(|| f(session))
    })
}
