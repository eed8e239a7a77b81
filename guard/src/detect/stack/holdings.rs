//! How many handles a scope holds, by where the engine puts the next handle: a load and a subtraction, where a count of all
//! handles would be a call.

use super::ScopeStack;
use super::entry::{Entry, Kind};
use crate::describe::scope::ScopeKind;
use crate::engine::counters::Cursor;
use crate::engine::ids::EntryId;
use crate::place::Place;

/// The use of one scope, as it is when the scope closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ScopeStats {
    /// The scope's kind.
    pub(crate) kind: ScopeKind,
    /// Where the scope was opened.
    pub(crate) place: Place,
    /// The number of handles in it; `None` if that is unknown.
    pub(crate) held: Option<u64>,
    /// A callback ran with it as the innermost scope.
    pub(crate) served: bool,
}

impl ScopeStack {
    /// Notes where the engine puts the next handle, for the entry that was just pushed.
    #[inline]
    pub(crate) fn note_cursor(&mut self, cursor: Option<Cursor>) {
        if let Some(entry) = self.entries.last_mut() {
            entry.cursor = cursor;
        }
    }

    /// Returns where the engine put the next handle when the entry `id` was pushed, if that is the innermost one.
    #[inline]
    pub(crate) fn cursor_of(&self, id: EntryId) -> Option<Cursor> {
        let entry = self.entries.last()?;
        entry.cursor.filter(|_| entry.id == id)
    }

    /// Returns the use of the innermost scope, with the next handle going to `cursor` and `alive` handles in all.
    pub(crate) fn innermost_stats(
        &self,
        cursor: Option<Cursor>,
        alive: Option<u64>,
    ) -> Option<ScopeStats> {
        let entry = self.entries.last()?;
        self.stats_of(entry, cursor, alive)
    }

    /// As [`innermost_stats`](Self::innermost_stats), for the scope around the innermost turn, which ends now. That scope may
    /// never close.
    pub(crate) fn stats_around_turn(
        &self,
        cursor: Option<Cursor>,
        alive: Option<u64>,
    ) -> Option<ScopeStats> {
        let below = &self.entries[..self.turns.last()?.barrier];
        let entry = below.iter().rev().find(|entry| entry.holds_handles())?;
        self.stats_of(entry, cursor, alive)
    }

    fn stats_of(
        &self,
        entry: &Entry,
        cursor: Option<Cursor>,
        alive: Option<u64>,
    ) -> Option<ScopeStats> {
        let Kind::Scope(kind) = entry.kind else {
            return None;
        };
        if !kind.holds_handles() {
            return None;
        }
        // If the engine went on to another block of handles, the cursors cannot be subtracted, and the numbers of handles in
        // all are.
        let by_number = || Some(alive?.saturating_sub(self.alive_at(entry)?));
        Some(ScopeStats {
            kind,
            place: entry.place,
            held: cursor
                .zip(entry.cursor)
                .and_then(|(now, before)| now.since(before))
                .or_else(by_number),
            served: entry.served,
        })
    }

    /// Handles alive when `entry` was pushed: those of the last moment when the number was known, and those created since.
    fn alive_at(&self, entry: &Entry) -> Option<u64> {
        // Outside of the outermost scope there is no handle.
        if entry.level == Some(1) {
            return Some(0);
        }
        let turn = self.turns.iter().rev().find(|turn| turn.id < entry.id);
        let (alive, cursor) = match turn {
            Some(turn) => (turn.handles?, self.entries[turn.barrier].cursor),
            None => {
                let outermost = self.entries.iter().find(|entry| entry.level == Some(1))?;
                (0, outermost.cursor)
            }
        };
        Some(alive + entry.cursor?.since_before_seal(cursor?)?)
    }
}
