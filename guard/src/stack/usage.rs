//! How many handles a scope holds, by where the engine puts the next one: a load and a subtraction, where counting them
//! would cost a call.

use super::{Frame, FrameId, Kind, Stack};
use crate::finding::ScopeKind;
use crate::{Cursor, Place};

/// What a scope was used for, told when it closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Its kind.
    pub kind: ScopeKind,
    /// Who opened it.
    pub place: Place,
    /// Handles in it; `None` where that can't be told.
    pub held: Option<u64>,
    /// A callback ran with it as the innermost scope.
    pub served: bool,
}

impl Stack {
    /// Notes where the engine puts the next handle, for the scope that was just opened.
    #[inline]
    pub fn note_cursor(&mut self, cursor: Option<Cursor>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.cursor = cursor;
        }
    }

    /// Where the engine had put the next handle when the innermost scope was opened, if that is `id`.
    #[inline]
    pub fn cursor_of(&self, id: FrameId) -> Option<Cursor> {
        let frame = self.frames.last()?;
        frame.cursor.filter(|_| frame.id == id)
    }

    /// What the innermost scope holds now, with the next handle going to `cursor` and `alive` of them in all.
    pub fn used(&self, cursor: Option<Cursor>, alive: Option<u64>) -> Option<Used> {
        let frame = self.frames.last()?;
        self.used_of(frame, cursor, alive)
    }

    /// The same of the scope around the innermost turn, at that turn's end: it may never close.
    pub fn used_around(&self, cursor: Option<Cursor>, alive: Option<u64>) -> Option<Used> {
        let below = &self.frames[..self.turns.last()?.barrier];
        let frame = below.iter().rev().find(|frame| frame.raises_level())?;
        self.used_of(frame, cursor, alive)
    }

    fn used_of(&self, frame: &Frame, cursor: Option<Cursor>, alive: Option<u64>) -> Option<Used> {
        let Kind::Scope(kind) = frame.kind else {
            return None;
        };
        if !kind.holds_handles() {
            return None;
        }
        // Across the engine's blocks of handles, by their number in all and at the last moment when it was known.
        let across = || Some(alive?.saturating_sub(self.alive_at(frame)?));
        Some(Used {
            kind,
            place: frame.place,
            held: cursor
                .zip(frame.cursor)
                .and_then(|(now, then)| now.since(then))
                .or_else(across),
            served: frame.served,
        })
    }

    /// Handles alive when `frame` was opened.
    fn alive_at(&self, frame: &Frame) -> Option<u64> {
        if frame.level == Some(1) {
            return Some(0);
        }
        let turn = self.turns.iter().rev().find(|turn| turn.id < frame.id);
        let (alive, cursor) = match turn {
            Some(turn) => (turn.handles?, self.frames[turn.barrier].cursor),
            None => {
                let outermost = self.frames.iter().find(|frame| frame.level == Some(1))?;
                (0, outermost.cursor)
            }
        };
        Some(alive + frame.cursor?.since(cursor?)?)
    }
}
