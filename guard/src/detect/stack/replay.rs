//! The entries of a pending log, and their replay into the scope stack.

use super::ScopeStack;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::{Cursor, EngineCounts};
use crate::engine::ids::EntryId;
use crate::place::Place;

/// The number of callbacks after which a host that never marked a turn gets a hint about turns.
pub(crate) const HINT_AFTER: u64 = 100;

/// The limits within which the fast path may record a scope or callback without asking the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FastPathLimits {
    /// The id issued last.
    pub(crate) last: EntryId,
    /// The lowest level that the engine can have just outside of what begins.
    pub(crate) level: u32,
    /// A callback at a level above this one runs in a scope of its turn. `None` if every callback needs a verdict.
    pub(crate) floor: Option<u32>,
    /// The lowest address of a scope that a hook recorded.
    pub(crate) lowest: usize,
}

/// A scope or callback that is open, as the fast path logs it.
#[derive(Clone, Copy)]
pub(crate) struct PendingEntry {
    pub(crate) id: EntryId,
    pub(crate) cursor: Cursor,
    /// The engine's level just inside.
    pub(crate) level: u32,
    /// `None` for a callback.
    pub(crate) kind: Option<ScopeKind>,
    /// A hook recorded the entry.
    pub(crate) hooked: bool,
    pub(crate) place: Place,
}

impl ScopeStack {
    /// Returns the limits of the fast path; `None` if any scope that opens now may need a verdict.
    pub(crate) fn fast_path_limits(&self) -> Option<FastPathLimits> {
        let turn = self.turns.last();
        // A scope ends late handles, a doubtful turn may not be judged by its level, and a phase of garbage collection judges
        // each scope.
        if turn.is_some_and(|turn| turn.last_report.is_some() || turn.doubtful)
            || self.phase().is_some()
            || self.has_aftermath()
        {
            return None;
        }
        let (level, lowest) = match self.entries.last() {
            Some(entry) => (entry.level?, entry.lowest),
            None => (0, usize::MAX),
        };
        let floor = match turn {
            Some(turn) => turn.level,
            // The hint about turns needs a count of all callbacks.
            None if self.turns_begun == 0 && self.callbacks_begun <= HINT_AFTER => None,
            None => Some(0),
        };
        Some(FastPathLimits {
            last: self.last_id(),
            level,
            floor: floor.filter(|_| !self.strict),
            lowest,
        })
    }

    /// Takes over the entries of a pending log, outermost first, each with the address of its scope (0 if no hook recorded
    /// one). Each keeps its id; `last` is the id issued last.
    pub(crate) fn replay(
        &mut self,
        entries: &mut dyn Iterator<Item = (PendingEntry, usize)>,
        last: EntryId,
    ) {
        for (entry, storage) in entries {
            // So that the entry keeps its id when it is pushed.
            self.pushed = entry.id.0 - 1;
            let counts = EngineCounts {
                level: Some(entry.level),
                handles: None,
            };
            match (entry.kind, storage) {
                (Some(kind), 0) => {
                    self.open_scope(kind, entry.place, counts);
                }
                (Some(kind), _) => {
                    self.construct_scope(kind, entry.place, storage, counts);
                }
                (None, _) => {
                    let (_, found) = self.begin_callback(entry.place, counts);
                    debug_assert!(found.is_none(), "[handleguard internal bug] {found:?}");
                    continue;
                }
            }
            self.note_cursor(Some(entry.cursor));
        }
        self.pushed = self.pushed.max(last.0);
    }
}
