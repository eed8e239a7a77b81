//! What is still open where a thread leaves an isolate.

use super::{EntryId, ScopeStack};
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::rules::never_closed::NeverClosed;
use crate::engine::counters::EngineCounts;
use crate::place::Place;

impl ScopeStack {
    /// Names this moment: what is pushed later has a later name.
    pub fn now(&self) -> EntryId {
        EntryId(self.pushed)
    }

    /// The thread leaves the isolate at `place`, which it entered at the moment `entered`, at the engine's level `then`; `seen`
    /// is from just before. Scopes opened since must be closed by now: their close would come in an isolate that is not
    /// entered.
    pub fn leave(
        &mut self,
        entered: EntryId,
        then: Option<u32>,
        place: Place,
        seen: EngineCounts,
    ) -> Vec<Finding> {
        let from = self.entries.partition_point(|entry| entry.id <= entered);
        let leaked = match (seen.level, then) {
            (Some(now), Some(then)) => Some(now.saturating_sub(then)),
            _ => None,
        };
        let findings = self.never_closed(from, seen.level, leaked, |scope| {
            Finding::NeverClosed(NeverClosed {
                scope,
                ended: Ended::Exit(place),
                turn: None,
            })
        });
        if !findings.is_empty() {
            // Told of; the end of the isolate tells no more of them.
            self.leaked_levels += leaked.unwrap_or(0);
            self.cut(from);
        }
        findings
    }
}
