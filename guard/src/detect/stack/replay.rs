//! What the stack is told late: scopes and callbacks that were written down where they began, and are still open.

use super::{EntryId, ScopeStack};
use crate::engine::counters::EngineCounts;
use crate::thread::fast_path::PendingEntry;

/// Callbacks after which a host that never marked a turn is told of turns.
pub(crate) const HINT_AFTER: u64 = 100;

/// What is to be known so that a scope or callback can be found to be right without the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FastPathLimits {
    /// The name given last.
    pub(crate) last: EntryId,
    /// The engine's level cannot be lower outside of what begins.
    pub(crate) level: u32,
    /// Above this level a callback is in a scope of its turn. `None` if each has to be looked at.
    pub(crate) floor: Option<u32>,
    /// The lowest address at which a scope lies that a hook told of.
    pub(crate) lowest: usize,
}

impl ScopeStack {
    /// `None` if there may be something to say of any scope that opens now.
    pub(crate) fn fast_path_limits(&self) -> Option<FastPathLimits> {
        let turn = self.turns.last();
        if turn.is_some_and(|turn| turn.last_report.is_some() || turn.doubtful)
            || self.phase().is_some()
        {
            return None;
        }
        let (level, lowest) = match self.entries.last() {
            Some(entry) => (entry.level?, entry.lowest),
            None => (0, usize::MAX),
        };
        let floor = match turn {
            Some(turn) => turn.level,
            // Counted, for the hint about turns.
            None if self.turns_begun == 0 && self.callbacks_begun <= HINT_AFTER => None,
            None => Some(0),
        };
        Some(FastPathLimits {
            last: EntryId(self.pushed),
            level,
            floor: floor.filter(|_| !self.strict),
            lowest,
        })
    }

    /// Takes over what was written down, with the names that it was given, and the addresses of scopes that a hook told of;
    /// `last` is the last of the names.
    pub(crate) fn replay(
        &mut self,
        entries: &mut dyn Iterator<Item = (PendingEntry, usize)>,
        last: EntryId,
    ) {
        for (entry, storage) in entries {
            self.pushed = entry.id.0 - 1;
            let seen = EngineCounts {
                level: Some(entry.level),
                handles: None,
            };
            match (entry.kind, storage) {
                (Some(kind), 0) => {
                    self.open_scope(kind, entry.place, seen);
                }
                (Some(kind), _) => {
                    self.construct_scope(kind, entry.place, storage, seen);
                }
                (None, _) => {
                    let (_, found) = self.begin_callback(entry.place, seen);
                    debug_assert!(found.is_none(), "[handleguard internal bug] {found:?}");
                    continue;
                }
            }
            self.note_cursor(Some(entry.cursor));
        }
        self.pushed = self.pushed.max(last.0);
    }
}
