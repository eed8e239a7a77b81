//! What hooks tell the stack: scopes known by the memory that the engine's own object takes, and not by a guard.

use super::{Entry, EntryId, Kind, LateHandles, ScopeStack};
use crate::describe::finding::Finding;
use crate::describe::rules::never_closed::StorageReused;
use crate::describe::rules::out_of_order::ClosedTwice;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::EngineCounts;
use crate::place::{Location, Place};

impl ScopeStack {
    /// As [`open_scope`](Self::open_scope), of a scope that was constructed at the address `storage`.
    #[inline]
    pub fn construct_scope(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        seen: EngineCounts,
    ) -> Option<LateHandles> {
        let (_, late) = self.open_scope(kind, place, seen);
        if let Some(entry) = self.entries.last_mut() {
            entry.storage = storage;
            entry.lowest = entry.lowest.min(storage);
        }
        late
    }

    /// The scope that lies at `storage` closes, with the engine at `level` until then. One that is not known was opened out of
    /// sight, and nobody is accused; unless the engine stands no higher than the innermost scope of the record, for then this
    /// close takes the level of that one away.
    #[inline]
    pub fn destruct_scope(
        &mut self,
        kind: ScopeKind,
        storage: usize,
        level: Option<u32>,
    ) -> Option<Finding> {
        if let Some(&Entry {
            storage: top,
            kind: Kind::Scope(kind),
            ..
        }) = self.entries.last()
            && top == storage
        {
            self.entries.pop();
            self.depth -= u32::from(kind.holds_handles());
            self.was_empty |= self.entries.is_empty();
            return None;
        }
        self.destruct_below(kind, storage, level)
    }

    #[cold]
    fn destruct_below(
        &mut self,
        kind: ScopeKind,
        storage: usize,
        level: Option<u32>,
    ) -> Option<Finding> {
        let known = |entry: &&Entry| entry.storage == storage;
        let entry = self.entries.iter().rev().find(known);
        match entry.or(self.orphans.iter().rev().find(known)) {
            Some(entry) => self.close_scope(entry.id),
            None if kind.levels() > 0 => self.destruct_unknown(level?),
            None => None,
        }
    }

    /// A scope closes that no hook saw opened, or that has closed before. The record follows the engine.
    fn destruct_unknown(&mut self, level: u32) -> Option<Finding> {
        let innermost = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.raises_level())?;
        if innermost.level != Some(level) {
            return None;
        }
        self.lose_above(level - 1);
        Some(Finding::ClosedTwice(ClosedTwice { number: None }))
    }

    /// A guard tells more of the scope that a hook has just seen open. False if there is none: the guard's scope is one that
    /// no hook saw.
    #[inline]
    pub fn adopt(&mut self, kind: ScopeKind, place: Place) -> bool {
        let Some(entry) = self.entries.last_mut() else {
            return false;
        };
        let Kind::Scope(hooked) = entry.kind else {
            return false;
        };
        let unnamed = matches!(entry.place.location, Location::Code(_));
        if entry.storage == 0 || !unnamed || !kind.adopts(hooked) {
            return false;
        }
        entry.kind = Kind::Scope(kind);
        entry.place = place;
        true
    }

    /// Whether a hook that sees a call is told nothing new: a guard's callback is under way to it. JavaScript that was
    /// entered in between has raised the engine's level.
    #[inline]
    pub fn is_being_called(&self, level: Option<u32>) -> bool {
        self.entries.last().is_some_and(|entry| {
            matches!(entry.kind, Kind::Callback)
                && !matches!(entry.place.location, Location::Code(_))
                && (entry.level.is_none() || level.is_none() || entry.level == level)
        })
    }

    /// The innermost of what is open.
    #[inline]
    pub fn innermost(&self) -> Option<EntryId> {
        self.entries.last().map(|entry| entry.id)
    }

    /// The finding, if a scope is constructed at `storage` where one lies that is still open; `seen` is from just inside it. The
    /// one that lies there is told of, and no more bug where it is never closed.
    #[inline]
    pub fn reused(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        seen: EngineCounts,
    ) -> Option<Finding> {
        // The machine stack grows down, so a scope that lies below the last one lies below all, unless one is elsewhere.
        match self.entries.last() {
            Some(top) if storage >= top.lowest => self.lies_at(kind, place, storage, seen),
            _ => None,
        }
    }

    #[cold]
    fn lies_at(
        &mut self,
        kind: ScopeKind,
        place: Place,
        storage: usize,
        seen: EngineCounts,
    ) -> Option<Finding> {
        let at = self.entries.iter().rposition(|it| it.storage == storage)?;
        let entry = self.entries[at];
        // Else it closed behind our back: the new one stands no higher.
        if kind.holds_handles() && seen.level.is_some() && entry.level >= seen.level {
            return None;
        }
        let first = self.scope_ref(&entry)?;
        self.entries.remove(at);
        self.orphans.push(entry);
        let mut above = self.turns.iter_mut().filter(|turn| turn.barrier > at);
        if let Some(turn) = above.next() {
            turn.barrier -= 1;
            turn.outer_depth -= u32::from(entry.raises_level());
        }
        for turn in above {
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
