//! The pending log of one thread: scopes and callbacks that need no verdict.
//!
//! An open appends one entry, the close of the innermost removes it again. Most entries come and go without the
//! [scope stack](crate::detect::stack) being touched. Everything else flushes the log first: the entries that are still open
//! are replayed into the scope stack, so whoever looks at the stack finds it complete.
//!
//! ```text
//!                  enable(limits)                      push: an entry, or "take the slow path"
//!   disabled  ------------------------->  enabled  <-----------+
//!   (the scope stack                        |  |               |
//!    sees everything)                       |  +---------------+
//!        ^                                  |     pop: the innermost entry
//!        |           flush()                |
//!        +----------------------------------+
//!          the open entries, oldest first, go to the scope stack, which then says
//!          by its `FastPathLimits` whether the log may be enabled again
//! ```
//!
//! The scope stack and the log share one sequence of [ids](EntryId), so an id is used once, whoever issued it.
//!
//! [`FastPathLimits`] state what the stack would check at each open: the engine's level is not below the record, and a
//! callback stands higher than its turn. Where more has to be judged (a budget, a collection, strict mode, advice), the stack
//! gives no limits and the log stays disabled.
#![expect(
    unsafe_code,
    reason = "walks an array by a pointer, so that the hot path keeps no index"
)]

use crate::describe::scope::ScopeKind;
use crate::detect::stack::replay::{FastPathLimits, PendingEntry};
use crate::engine::counters::{Counters, Cursor};
use crate::engine::ids::{EntryId, IsolateId};
use crate::place::Place;
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::cell::Cell;
use std::ptr;

/// Capacity of a log, in entries. Deeper nesting takes the slow path. The first entry stands for the innermost entry of the
/// scope stack.
const CAPACITY: usize = 32;

/// Handles that a scope must hold before its high-water mark is kept.
pub(crate) const MIN_HIGH_WATER: u64 = 64;

/// The same, in bytes.
const MIN_BYTES: usize = MIN_HIGH_WATER as usize * size_of::<usize>();

/// The engine's block of handles that began last on a thread, as a hook saw it.
#[derive(Clone, Copy)]
pub(crate) struct NewestBlock {
    /// The isolate's address.
    pub(crate) isolate: usize,
    /// The engine's level.
    pub(crate) level: u32,
    /// How many blocks the scope at that level has begun, this one included.
    pub(crate) in_a_row: usize,
    /// The size of a block.
    pub(crate) bytes: usize,
}

/// The pending log of one thread. See the [module](self).
///
/// Only the owning thread touches the cells. Other threads touch `enabled` (to disable the log of an isolate that ends) and
/// the two fields of the [list](super::pending_logs::PendingLogs).
pub(crate) struct PendingLog {
    /// The isolate whose scopes and callbacks may be logged; 0 while the log is disabled.
    enabled: AtomicUsize,
    /// The innermost entry: a pointer into `entries` once the log was enabled.
    top: Cell<*const Cell<PendingEntry>>,
    /// The last of `entries` once the log was enabled.
    last_entry: Cell<*const Cell<PendingEntry>>,
    counters: Cell<Counters>,
    /// The id issued last. Isolates of one thread share the sequence, so their pending entries have distinct ids.
    last_id: Cell<EntryId>,
    /// The last id that the scope stack knows.
    flushed_up_to: Cell<EntryId>,
    /// A callback at a level above this one runs in a scope of its turn.
    floor: Cell<u32>,
    /// The isolate that the entries belong to.
    isolate: Cell<usize>,
    /// The lowest address of a scope that a hook recorded.
    lowest: Cell<usize>,
    newest_block: Cell<NewestBlock>,
    /// Extra state for each entry that is [`hooked`](PendingEntry::hooked), at the same index.
    hooked: [Cell<HookedScope>; CAPACITY],
    entries: [Cell<PendingEntry>; CAPACITY],
    /// A living thread owns this log.
    pub(super) in_use: AtomicBool,
    /// The next log of the list. Written before the log is published.
    pub(super) next: AtomicPtr<PendingLog>,
}

/// Extra state for an entry recorded by a hook.
#[derive(Clone, Copy)]
struct HookedScope {
    /// The address of the engine's scope object.
    storage: usize,
    /// [`PendingLog::lowest`] outside of this scope.
    lowest_outside: usize,
}

/// The answer to a hook that sees a call.
pub(crate) enum Call {
    /// A guard has recorded this call.
    Recorded,
    /// The call is logged under this id.
    Logged(EntryId),
    /// The call must take the slow path.
    Slow,
}

impl PendingLog {
    pub(super) fn new() -> Self {
        const NO_ENTRY: PendingEntry = PendingEntry {
            id: EntryId::NONE,
            cursor: Cursor { next: 0, limit: 0 },
            level: 0,
            kind: None,
            hooked: false,
            place: Place::code(0, 0),
        };
        const NO_SCOPE: HookedScope = HookedScope {
            storage: 0,
            lowest_outside: usize::MAX,
        };
        Self {
            enabled: AtomicUsize::new(0),
            top: Cell::new(ptr::null()),
            last_entry: Cell::new(ptr::null()),
            counters: Cell::new(Counters::NONE),
            last_id: Cell::new(EntryId::NONE),
            flushed_up_to: Cell::new(EntryId::NONE),
            floor: Cell::new(u32::MAX),
            isolate: Cell::new(0),
            lowest: Cell::new(usize::MAX),
            newest_block: Cell::new(NewestBlock {
                isolate: 0,
                level: 0,
                in_a_row: 0,
                bytes: 0,
            }),
            hooked: [const { Cell::new(NO_SCOPE) }; CAPACITY],
            entries: [const { Cell::new(NO_ENTRY) }; CAPACITY],
            in_use: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Lets the next scopes and callbacks of `isolate` be logged. The scope stack must know everything that came before.
    #[inline]
    pub(crate) fn enable(&self, isolate: IsolateId, limits: FastPathLimits, counters: Counters) {
        let first = &self.entries[0];
        first.set(PendingEntry {
            level: limits.level,
            ..first.get()
        });
        // Both from the array, not from a reference to one element: `push` and `pop` walk the array by them.
        let entries = self.entries.as_ptr();
        self.top.set(entries);
        self.last_entry.set(entries.wrapping_add(CAPACITY - 1));
        self.lowest.set(limits.lowest);
        self.isolate.set(isolate.0);
        self.counters.set(counters);
        let last = self.last_id.get().max(limits.last);
        self.last_id.set(last);
        self.flushed_up_to.set(last);
        self.floor.set(limits.floor.unwrap_or(u32::MAX));
        self.enabled.store(isolate.0, Ordering::Relaxed);
    }

    /// Sends everything by the slow path until the log is enabled again.
    #[inline]
    pub(crate) fn disable(&self) {
        self.enabled.store(0, Ordering::Relaxed);
    }

    /// Disables the log if it is enabled for `isolate`. The only method that another thread may call.
    ///
    /// Relaxed: the isolate is about to end, so the thread that ends it has synchronised with every thread that used it, and
    /// a later isolate at the same address reaches this log's thread by way of the ending thread.
    pub(super) fn disable_for(&self, isolate: IsolateId) {
        let _ = self
            .enabled
            .compare_exchange(isolate.0, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Forgets all entries: the owning thread ends.
    pub(super) fn reset(&self) {
        self.disable();
        self.flushed_up_to.set(self.last_id.get());
        self.top.set(self.entries.as_ptr());
    }

    #[inline(always)]
    fn is_enabled_for(&self, isolate: IsolateId) -> bool {
        self.enabled.load(Ordering::Relaxed) == isolate.0
    }

    /// The innermost entry; the one that stands for the scope stack, if nothing is logged.
    #[inline(always)]
    fn top(&self) -> &Cell<PendingEntry> {
        let top = self.top.get();
        debug_assert!(self.entries.as_ptr_range().contains(&top));
        // SAFETY: `enable` points `top` at the start of `entries`, with the provenance of the array; it runs before any thread
        // finds the log (`thread/log_pointer.rs`). `push` moves `top` up by one unless it is `last_entry`, and `pop` moves it
        // down by one unless it is the first entry, whose id `EntryId::NONE` no caller passes. So it stays inside `entries`.
        unsafe { &*top }
    }

    /// The number of entries.
    fn depth(&self) -> usize {
        let bytes = self.top.get().addr() - self.entries.as_ptr().addr();
        bytes / size_of::<PendingEntry>()
    }

    /// Appends what begins in `isolate`. `None` if it needs a verdict, or does not fit.
    #[inline(always)]
    pub(super) fn push(
        &self,
        isolate: IsolateId,
        kind: Option<ScopeKind>,
        place: Place,
        hooked: bool,
    ) -> Option<EntryId> {
        if !self.is_enabled_for(isolate) || ptr::eq(self.top.get(), self.last_entry.get()) {
            return None;
        }
        let counters = self.counters.get();
        let level = counters.level();
        let below = self.top().get().level;
        // The engine has opened the scope already, so its level is one higher than outside.
        let raised = kind.is_some_and(|kind| kind.levels() > 0);
        let is_low = level < below || (raised && level == below);
        if is_low || (kind.is_none() && level <= self.floor.get()) {
            return None;
        }
        let id = self.last_id.get().next();
        self.last_id.set(id);
        // SAFETY: `top` points into `entries` (see `top()`), with the provenance of the whole array, and not at the last entry,
        // as compared above.
        let (at, entry) = unsafe {
            let at = self.top.get().add(1);
            (at, &*at)
        };
        entry.set(PendingEntry {
            id,
            cursor: counters.cursor(),
            level,
            kind,
            hooked,
            place,
        });
        self.top.set(at);
        Some(id)
    }

    /// Appends a scope whose engine object lies at `storage`. Returns whether it did.
    #[inline(always)]
    pub(super) fn push_hooked(
        &self,
        isolate: IsolateId,
        kind: ScopeKind,
        place: Place,
        storage: usize,
    ) -> bool {
        if self.push(isolate, Some(kind), place, true).is_none() {
            return false;
        }
        self.hooked[self.depth()].set(HookedScope {
            storage,
            lowest_outside: self.lowest.get(),
        });
        self.lowest.set(storage);
        true
    }

    /// Whether a scope at `storage` lies below every scope that a hook has recorded, as it does on a machine stack.
    #[inline(always)]
    pub(super) fn is_lowest(&self, storage: usize) -> bool {
        storage < self.lowest.get()
    }

    /// Whether a hook recorded the innermost entry.
    #[inline(always)]
    pub(super) fn is_top_hooked(&self) -> bool {
        self.top().get().hooked
    }

    /// Removes the innermost entry if it is `id`, which is not [`EntryId::NONE`], and needs no verdict. Returns whether it
    /// did.
    #[inline(always)]
    pub(super) fn pop(&self, id: EntryId, is_scope: bool) -> bool {
        let entry = self.top().get();
        if entry.id != id {
            return false;
        }
        if is_scope {
            // If the engine switched to another block of handles, the difference means nothing: either the scope holds fewer handles
            // than are worth a mark, or `pop_hooked_in_two_blocks` may remove it.
            let bytes = self.counters.get().next().wrapping_sub(entry.cursor.next);
            if bytes >= MIN_BYTES {
                return false;
            }
        }
        self.top.set(self.top.get().wrapping_sub(1));
        true
    }

    /// Records that the engine begins a block of handles.
    #[inline]
    pub(crate) fn set_newest_block(&self, block: NewestBlock) {
        self.newest_block.set(block);
    }

    /// Removes the innermost entry if it is the scope at `storage` and needs no verdict. Returns whether it did.
    #[inline(always)]
    pub(super) fn pop_hooked(&self, isolate: IsolateId, storage: usize) -> bool {
        if !self.is_enabled_for(isolate) {
            return false;
        }
        let entry = self.top().get();
        let scope = self.hooked[self.depth()].get();
        let closed = entry.hooked && scope.storage == storage && self.pop(entry.id, true);
        if closed {
            self.lowest.set(scope.lowest_outside);
        }
        closed
    }

    /// As [`pop_hooked`](Self::pop_hooked), for a scope that began the engine's newest block, and holds fewer handles than are worth
    /// a mark in it and in the block before.
    pub(super) fn pop_hooked_in_two_blocks(&self, isolate: IsolateId, storage: usize) -> bool {
        let entry = self.top().get();
        let scope = self.hooked[self.depth()].get();
        if !self.is_enabled_for(isolate) || !entry.hooked || scope.storage != storage {
            return false;
        }
        let newest = self.newest_block.get();
        let is_its_own = newest.isolate == isolate.0 && newest.level == entry.level;
        let now = self.counters.get().cursor();
        if !is_its_own || newest.in_a_row != 1 || now.limit == entry.cursor.limit {
            return false;
        }
        let before = entry.cursor.limit.wrapping_sub(entry.cursor.next);
        let free = now.limit.wrapping_sub(now.next);
        if before.saturating_add(newest.bytes.saturating_sub(free)) >= MIN_BYTES {
            return false;
        }
        self.top.set(self.top.get().wrapping_sub(1));
        self.lowest.set(scope.lowest_outside);
        true
    }

    /// Lets a guard name the scope that a hook has just logged. Returns `false` if the innermost entry is not such a scope.
    pub(super) fn adopt(&self, isolate: IsolateId, kind: ScopeKind, place: Place) -> bool {
        if !self.is_enabled_for(isolate) {
            return false;
        }
        let mut entry = self.top().get();
        let unnamed = entry.place.location.is_code();
        if !entry.hooked || !unnamed || !entry.kind.is_some_and(|hooked| kind.adopts(hooked)) {
            return false;
        }
        entry.kind = Some(kind);
        entry.place = place;
        self.top().set(entry);
        true
    }

    /// Logs a call that a hook sees, unless a guard has recorded it.
    #[inline(always)]
    pub(super) fn call(&self, isolate: IsolateId, place: Place) -> Call {
        // Where nothing is logged, the innermost entry is the scope stack's, and may be a guard's callback.
        if !self.is_enabled_for(isolate) || self.depth() == 0 {
            return Call::Slow;
        }
        let entry = self.top().get();
        let by_guard = !entry.place.location.is_code();
        if entry.kind.is_none() && by_guard && entry.level == self.counters.get().level() {
            return Call::Recorded;
        }
        self.push(isolate, None, place, false)
            .map_or(Call::Slow, Call::Logged)
    }

    /// Disables the log and hands its entries to `replay`, outermost first, each with the address of its scope (0 if no hook
    /// recorded one); with the isolate that they belong to and the id issued last.
    #[inline]
    pub(crate) fn flush(
        &self,
        replay: impl FnOnce(IsolateId, &mut dyn Iterator<Item = (PendingEntry, usize)>, EntryId),
    ) {
        self.disable();
        // Equal ids mean that nothing was logged since the last flush.
        if self.flushed_up_to.replace(self.last_id.get()) == self.last_id.get() {
            return;
        }
        let depth = self.depth();
        self.top.set(self.entries.as_ptr());
        let hooked = self.hooked[1..=depth].iter().map(Cell::get);
        let mut entries = self.entries[1..=depth]
            .iter()
            .map(Cell::get)
            .zip(hooked)
            .map(|(entry, scope)| (entry, if entry.hooked { scope.storage } else { 0 }));
        replay(
            IsolateId(self.isolate.get()),
            &mut entries,
            self.last_id.get(),
        );
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ISOLATE: IsolateId = IsolateId(0x10);

    /// The handles of a block.
    const BLOCK: usize = 1000;

    /// A log in which a hooked scope is opened with `left` handles to go in the block; then the engine begins another block, the
    /// `in_a_row`th of the scope's, and makes `made` handles in it. Returns whether the close takes the fast path.
    fn closes_fast(left: usize, made: usize, in_a_row: usize, level: u32) -> bool {
        let bytes = |handles: usize| handles * size_of::<usize>();
        let words = [0x10_0000, 0x10_0000 + bytes(left), 1].map(Cell::new);
        let first = words.as_ptr().cast::<usize>();
        // SAFETY: `words` outlives the log.
        let counters = unsafe { Counters::new(first, first.add(2).cast()) };
        let log = PendingLog::new();
        let limits = FastPathLimits {
            last: EntryId::NONE,
            level: 0,
            floor: None,
            lowest: usize::MAX,
        };
        log.enable(ISOLATE, limits, counters);
        let kind = ScopeKind::HandleScope;
        assert!(log.push_hooked(ISOLATE, kind, Place::code(1, 0), 0x7000));
        log.set_newest_block(NewestBlock {
            isolate: ISOLATE.0,
            level,
            in_a_row,
            bytes: bytes(BLOCK),
        });
        words[0].set(0x20_0000 + bytes(made));
        words[1].set(0x20_0000 + bytes(BLOCK));
        log.pop_hooked(ISOLATE, 0x7000) || log.pop_hooked_in_two_blocks(ISOLATE, 0x7000)
    }

    #[test]
    fn a_scope_at_the_edge_of_a_block_takes_the_fast_path_if_it_holds_few_handles() {
        assert!(closes_fast(2, 3, 1, 1));
        assert!(closes_fast(60, 3, 1, 1), "63");
        assert!(!closes_fast(61, 3, 1, 1), "64");
        assert!(!closes_fast(0, 64, 1, 1));
    }

    #[test]
    fn a_scope_whose_blocks_are_not_all_known_takes_the_slow_path() {
        assert!(!closes_fast(2, 3, 2, 1), "it filled a block in between");
        assert!(!closes_fast(2, 3, 0, 1), "no hook saw it");
        assert!(!closes_fast(2, 3, 1, 2), "an inner scope's");
    }
}
