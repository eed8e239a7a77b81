//! Scopes that a hook records, known by the memory of the engine's scope object and not by a guard. The verdicts of
//! `out-of-order` and `never-closed` for them.

use super::ScopeStack;
use super::entry::{Entry, Kind};
use super::outcome::LateHandles;
use crate::describe::finding::Finding;
use crate::describe::rules::never_closed::StorageReused;
use crate::describe::rules::out_of_order::NotOpen;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::EngineCounts;
use crate::engine::try_catches::TryCatches;
use crate::place::Place;

impl ScopeStack {
    /// As [`open_scope`](Self::open_scope), for a scope that was constructed at the address `storage`.
    #[inline]
    pub(crate) fn construct_scope(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        counts: EngineCounts,
    ) -> Option<LateHandles> {
        let (_, late) = self.open_scope(kind, place, counts);
        if let Some(entry) = self.entries.last_mut() {
            entry.storage = storage;
            entry.lowest = entry.lowest.min(storage);
        }
        late
    }

    /// Closes the scope at the address `storage`, which is destroyed at `place`; the engine is still at `level`, inside it.
    ///
    /// Code without a hook opened a scope that is not known here, and its close gets no verdict. But if the engine is at the
    /// level of the innermost recorded scope, the close takes the level of that scope away, so it is a second close. A
    /// `TryCatch` takes none: [`destruct_try_catch`](Self::destruct_try_catch) judges one that is not known here.
    #[inline]
    pub(crate) fn destruct_scope(
        &mut self,
        kind: ScopeKind,
        storage: usize,
        place: Place,
        level: Option<u32>,
    ) -> Option<Finding> {
        if let Some(&Entry {
            storage: innermost,
            kind: Kind::Scope(kind),
            ..
        }) = self.entries.last()
            && innermost == storage
        {
            self.entries.pop();
            self.depth -= u32::from(kind.holds_handles());
            self.was_empty |= self.entries.is_empty();
            return None;
        }
        self.destruct_below(kind, storage, place, level)
    }

    #[cold]
    fn destruct_below(
        &mut self,
        kind: ScopeKind,
        storage: usize,
        place: Place,
        level: Option<u32>,
    ) -> Option<Finding> {
        match self.at_storage(storage) {
            Some(entry) => self.close_scope(entry.id),
            None if kind.levels() > 0 => self.destruct_unknown(kind, place, level?),
            None => None,
        }
    }

    /// The scope at the address `storage`: open, or an orphan.
    fn at_storage(&self, storage: usize) -> Option<&Entry> {
        let lies_there = |entry: &&Entry| entry.storage == storage;
        let recorded = self.entries.iter().rev().find(lies_there);
        recorded.or(self.orphans.iter().rev().find(lies_there))
    }

    /// Whether a scope at the address `storage` is recorded.
    pub(crate) fn knows_storage(&self, storage: usize) -> bool {
        self.at_storage(storage).is_some()
    }

    /// Judges the destruction, at `place`, of the `TryCatch` at the address `storage`, which is not recorded. `around` is what
    /// the engine has of it. The engine removes the innermost one only, so any other is not open or closes out of order.
    ///
    /// The engine then has the `TryCatch` innermost that was so when this one was constructed. The record follows it: what the
    /// engine has dropped is closed, and the close of the scope around it is in order.
    #[cold]
    pub(crate) fn destruct_try_catch(
        &mut self,
        storage: usize,
        place: Place,
        around: TryCatches,
    ) -> Option<Finding> {
        if around.innermost == storage {
            return None;
        }
        let kept = self
            .entries
            .iter()
            .rposition(|entry| around.next != 0 && entry.storage == around.next);
        for entry in &mut self.entries[kept.map_or(0, |at| at + 1)..] {
            if matches!(entry.kind, Kind::Scope(ScopeKind::TryCatch)) {
                entry.kind = Kind::Lost;
            }
        }
        let kind = ScopeKind::TryCatch;
        let is_reported = std::mem::take(&mut self.closed_twice);
        (!is_reported).then_some(Finding::NotOpen(NotOpen { kind, place }))
    }

    /// Closes a scope that no hook recorded, or that has closed before. In the second case the record follows the engine.
    fn destruct_unknown(&mut self, kind: ScopeKind, place: Place, level: u32) -> Option<Finding> {
        let innermost = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.holds_handles())?;
        if innermost.level != Some(level) {
            return None;
        }
        // A level of 0 is that of an engine in which more scopes were closed than opened.
        self.lose_above(level.saturating_sub(1));
        Some(Finding::NotOpen(NotOpen { kind, place }))
    }

    /// Lets a guard name the scope that a hook has just recorded. Returns `false` if the innermost entry is not such a scope:
    /// no hook recorded the guard's scope.
    #[inline]
    pub(crate) fn adopt(&mut self, kind: ScopeKind, place: Place) -> bool {
        let Some(entry) = self.entries.last_mut() else {
            return false;
        };
        let Kind::Scope(hooked) = entry.kind else {
            return false;
        };
        let unnamed = entry.place.location.is_code();
        if entry.storage == 0 || !unnamed || !kind.adopts(hooked) {
            return false;
        }
        entry.kind = Kind::Scope(kind);
        entry.place = place;
        true
    }

    /// Claims the memory at `storage` for a scope that is constructed there; `counts` is from just inside it. Returns the
    /// finding if a scope that was never closed lies there. That scope becomes an orphan, so it is not reported again.
    #[inline]
    pub(crate) fn claim_storage(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        counts: EngineCounts,
    ) -> Option<Finding> {
        // The machine stack grows down, so most scopes lie below all that are recorded, and this one comparison is enough.
        match self.entries.last() {
            Some(innermost) if storage >= innermost.lowest => {
                self.claim_storage_above(kind, place, storage, counts)
            }
            _ => None,
        }
    }

    #[cold]
    fn claim_storage_above(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        counts: EngineCounts,
    ) -> Option<Finding> {
        let at = self.entries.iter().rposition(|it| it.storage == storage)?;
        let entry = self.entries[at];
        // If the level inside the new scope is no higher, the recorded scope has closed, and the close was not recorded.
        if kind.holds_handles() && counts.level.is_some() && entry.level >= counts.level {
            return None;
        }
        let first = self.scope_ref(&entry)?;
        self.entries.remove(at);
        self.orphans.push(entry);
        let mut inside = self.turns.iter_mut().filter(|turn| turn.barrier > at);
        // The first turn inside the scope has counted it in the depth to go back to.
        if let Some(turn) = inside.next() {
            turn.barrier -= 1;
            turn.outer_depth -= u32::from(entry.holds_handles());
        }
        for turn in inside {
            turn.barrier -= 1;
        }
        self.recount();
        Some(Finding::StorageReused(StorageReused {
            first,
            kind,
            again: place,
        }))
    }
}
