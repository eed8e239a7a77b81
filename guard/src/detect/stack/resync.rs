//! The engine's level and the record where they differ: scopes that stay open, closes that come late, and closes that were
//! not recorded. The verdict of `desync`.

use super::ScopeStack;
use super::entry::{Entry, Kind};
use crate::describe::finding::Finding;
use crate::describe::rules::desync::Desync;

impl ScopeStack {
    /// Compares the record with the engine's level outside of what begins or ends now. The level cannot be lower than inside
    /// the innermost entry: if it is, a scope closed and the close was not recorded.
    ///
    /// The record then follows the engine, and the turns that are open get no verdict. The finding is returned once.
    #[inline]
    pub(crate) fn resync(&mut self, level: Option<u32>) -> Option<Finding> {
        let level = level?;
        let recorded = self.entries.last()?.level?;
        if level >= recorded {
            return None;
        }
        self.follow_engine(level, recorded)
    }

    #[cold]
    fn follow_engine(&mut self, level: u32, recorded: u32) -> Option<Finding> {
        let innermost = self.entries.last()?.place;
        self.lose_above(level);
        (!std::mem::replace(&mut self.desync_reported, true)).then_some(Finding::Desync(Desync {
            recorded,
            level,
            innermost,
        }))
    }

    /// Adapts the record to the engine's `level`: a scope that is recorded at a higher level has closed, and the close was not
    /// recorded.
    pub(super) fn lose_above(&mut self, level: u32) {
        for entry in &mut self.entries {
            if entry.level > Some(level) {
                if matches!(entry.kind, Kind::Scope(_)) {
                    entry.kind = Kind::Lost;
                }
                entry.level = Some(level);
            }
        }
        for turn in &mut self.turns {
            turn.doubtful = true;
            turn.level = turn.level.map(|before| before.min(level));
        }
        self.leaked = self.leaked.filter(|leaked| leaked.level <= Some(level));
        self.leaked_levels = self.leaked_levels.min(level);
        self.recount();
    }

    /// Records that another thread has used the isolate at the same time. It may have changed the engine's counts for good, so they
    /// prove nothing about the turns that are open, nor about the next one, which the other thread may still disturb.
    #[cold]
    pub(crate) fn doubt_counts(&mut self) {
        for turn in &mut self.turns {
            turn.doubtful = true;
        }
        self.doubts_next_turn = true;
        self.raced = true;
        self.desync_reported = true;
    }

    /// Notes that `levels` scopes opened above the index `barrier` stay open, with the engine at the level `now`. They are not
    /// reported again, and the innermost is named where later handles land in it.
    pub(super) fn keep_leaked(&mut self, barrier: usize, levels: u32, now: Option<u32>) {
        self.leaked_levels += levels;
        for turn in &mut self.turns {
            turn.level = turn.level.map(|level| level + levels);
        }
        let turn = self.entries[barrier].id;
        for entry in &mut self.entries[barrier..] {
            entry.leaked |= entry.level <= now;
        }
        for orphan in &mut self.orphans {
            orphan.leaked |= orphan.id > turn;
        }
        let innermost = self.entries[barrier..]
            .iter()
            .rev()
            .find(|entry| matches!(entry.kind, Kind::Scope(_)) && entry.level == now);
        self.leaked = innermost.copied();
    }

    /// Lowers every level that was noted while `orphan` was open, because it has closed now.
    pub(super) fn lower_levels(&mut self, orphan: &Entry) {
        if !orphan.holds_handles() {
            return;
        }
        let lower = |level: &mut Option<u32>| *level = level.map(|level| level.saturating_sub(1));
        for turn in &mut self.turns {
            if orphan.leaked || turn.id > orphan.id {
                lower(&mut turn.level);
            }
        }
        for later in self.entries.iter_mut().chain(&mut self.orphans) {
            if later.id > orphan.id {
                lower(&mut later.level);
            }
        }
        if orphan.leaked {
            self.leaked_levels = self.leaked_levels.saturating_sub(1);
            self.leaked = self.leaked.filter(|leaked| leaked.id != orphan.id);
        }
    }
}
