//! The fast path: a scope or callback that needs no verdict goes to the thread's [pending log](crate::thread::pending_log)
//! and out of it again, and touches nothing else. Each function returns that it could not, and the caller takes the slow
//! path.

use crate::describe::scope::ScopeKind;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::Engine;
use crate::place::{Location, Place};
use crate::thread::log_pointer::current;
use crate::thread::pending_log::{Call, NewestBlock};
use std::panic;

/// Records a scope that the engine has opened, or, where `kind` is `None`, a call into JavaScript. `None` if the slow path
/// must run; it may find that a hook has [recorded](adopt) the scope already.
#[inline(always)]
pub(crate) fn open<E: Engine>(
    engine: E,
    kind: Option<ScopeKind>,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> Option<EntryId> {
    let isolate = engine.isolate();
    let log = current()?;
    if !engine.is_entered() {
        return None;
    }
    let location = Location::Source(location);
    let place = Place { name, location };
    // A scope that a hook has logged has raised the level once, so `push` refuses the guard's. A `TryCatch` raises no level.
    if kind.is_some_and(|kind| kind.levels() == 0) && log.is_top_hooked() {
        return None;
    }
    log.push(isolate, kind, place, false)
}

/// Closes the scope `id`. `false` if the slow path must run.
#[inline(always)]
pub(crate) fn close_scope(id: EntryId) -> bool {
    id != EntryId::NONE && current().is_some_and(|log| log.pop(id, true))
}

/// Ends the callback `id`. `false` if the slow path must run.
#[inline(always)]
pub(crate) fn end_callback(id: EntryId) -> bool {
    id != EntryId::NONE && current().is_some_and(|log| log.pop(id, false))
}

/// Lets a guard name the scope that a hook has just logged. `false` if the hook took the slow path, or there was none.
pub(crate) fn adopt(isolate: IsolateId, kind: ScopeKind, place: Place) -> bool {
    current().is_some_and(|log| log.adopt(isolate, kind, place))
}

/// Records a scope whose engine object was constructed at the address `storage` by a function that returns to `ip`. `false`
/// if the slow path must run.
#[inline(always)]
pub(crate) fn construct<E: Engine>(engine: E, kind: ScopeKind, ip: usize, storage: usize) -> bool {
    let isolate = engine.isolate();
    let Some(log) = current() else { return false };
    if !log.is_lowest(storage) || !engine.is_entered() {
        return false;
    }
    log.push_hooked(isolate, kind, Place::code(ip, storage), storage)
}

/// Closes the scope whose engine object at `storage` is about to be destroyed. `false` if the slow path must run.
#[inline(always)]
pub(crate) fn destruct(isolate: IsolateId, storage: usize) -> bool {
    current().is_some_and(|log| log.pop_hooked(isolate, storage))
}

/// As [`destruct`], for a scope in which the engine began a block of handles.
pub(crate) fn destruct_in_two_blocks(isolate: IsolateId, storage: usize) -> bool {
    current().is_some_and(|log| log.pop_hooked_in_two_blocks(isolate, storage))
}

/// Records that the engine begins a block of handles, so that the scope which began it may close on the fast path.
#[inline]
pub(crate) fn block_begins(block: NewestBlock) {
    if let Some(log) = current() {
        log.set_newest_block(block);
    }
}

/// Records a call that begins in `isolate`, the current one, at `place`, as a hook sees it.
#[inline(always)]
pub(crate) fn call(isolate: IsolateId, place: Place) -> Call {
    current().map_or(Call::Slow, |log| log.call(isolate, place))
}

/// Sends everything on this thread by the slow path until a record enables the log again.
pub(crate) fn disable() {
    if let Some(log) = current() {
        log.disable();
    }
}
