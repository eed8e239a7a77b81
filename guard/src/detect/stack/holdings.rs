//! How many handles a scope holds, by where the engine puts the next one: a load and a subtraction, where counting them
//! would cost a call.

use super::{Entry, EntryId, Kind, ScopeStack};
use crate::describe::scope::ScopeKind;
use crate::engine::counters::Cursor;
use crate::place::Place;

/// What a scope was used for, told when it closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeStats {
    /// Its kind.
    pub kind: ScopeKind,
    /// Who opened it.
    pub place: Place,
    /// Handles in it; `None` where that can't be told.
    pub held: Option<u64>,
    /// A callback ran with it as the innermost scope.
    pub served: bool,
}

impl ScopeStack {
    /// Notes where the engine puts the next handle, for the scope that was just opened.
    #[inline]
    pub fn note_cursor(&mut self, cursor: Option<Cursor>) {
        if let Some(entry) = self.entries.last_mut() {
            entry.cursor = cursor;
        }
    }

    /// Where the engine had put the next handle when the innermost scope was opened, if that is `id`.
    #[inline]
    pub fn cursor_of(&self, id: EntryId) -> Option<Cursor> {
        let entry = self.entries.last()?;
        entry.cursor.filter(|_| entry.id == id)
    }

    /// What the innermost scope holds now, with the next handle going to `cursor` and `alive` of them in all.
    pub fn used(&self, cursor: Option<Cursor>, alive: Option<u64>) -> Option<ScopeStats> {
        let entry = self.entries.last()?;
        self.used_of(entry, cursor, alive)
    }

    /// The same of the scope around the innermost turn, at that turn's end: it may never close.
    pub fn used_around(&self, cursor: Option<Cursor>, alive: Option<u64>) -> Option<ScopeStats> {
        let below = &self.entries[..self.turns.last()?.barrier];
        let entry = below.iter().rev().find(|entry| entry.raises_level())?;
        self.used_of(entry, cursor, alive)
    }

    fn used_of(
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
        // Across the engine's blocks of handles, by their number in all and at the last moment when it was known.
        let across = || Some(alive?.saturating_sub(self.alive_at(entry)?));
        Some(ScopeStats {
            kind,
            place: entry.place,
            held: cursor
                .zip(entry.cursor)
                .and_then(|(now, then)| now.since(then))
                .or_else(across),
            served: entry.served,
        })
    }

    /// Handles alive when `frame` was opened.
    fn alive_at(&self, entry: &Entry) -> Option<u64> {
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
        Some(alive + entry.cursor?.since(cursor?)?)
    }
}
