//! Where the engine's level and the record part ways: scopes that stay open for good, closes that come late, and closes
//! that nobody told us of.

use super::{Entry, Kind, ScopeStack};
use crate::describe::finding::Finding;
use crate::describe::rules::desync::Desync;

impl ScopeStack {
    /// Compares the record with the engine's level, as it is outside of what begins or ends now. The level cannot be lower than
    /// inside the innermost frame of the record: if it is, a scope was closed behind our back. Told of once; the record follows
    /// the engine, and nobody is accused of anything in the turns that are open.
    #[inline]
    pub fn resync(&mut self, level: Option<u32>) -> Option<Finding> {
        let level = level?;
        let recorded = self.entries.last()?.level?;
        if level >= recorded {
            return None;
        }
        self.follow(level, recorded)
    }

    #[cold]
    fn follow(&mut self, level: u32, recorded: u32) -> Option<Finding> {
        let innermost = self.entries.last()?.place;
        self.lose_above(level);
        (!std::mem::replace(&mut self.desync_reported, true)).then_some(Finding::Desync(Desync {
            recorded,
            level,
            innermost,
        }))
    }

    /// The engine stands at `level`: whatever of the record stands higher was closed without our knowing.
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
            turn.level = turn.level.map(|then| then.min(level));
        }
        self.leaked = self.leaked.filter(|leaked| leaked.level <= Some(level));
        self.leaked_levels = self.leaked_levels.min(level);
        self.recount();
    }

    /// Remembers that `levels` scopes opened above `barrier` stay open for good, so that they are told of once, and
    /// named where later handles land in them.
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

    /// An orphan closes after all: the level sinks below what was noted while it was open.
    pub(super) fn lower(&mut self, orphan: &Entry) {
        if !orphan.raises_level() {
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
