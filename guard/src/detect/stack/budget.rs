//! The verdict of `scope-budget`.

use super::ScopeStack;
use crate::describe::finding::Finding;
use crate::describe::rules::scope_budget::ScopeBudget;
use crate::engine::counters::EngineCounts;

impl ScopeStack {
    /// Returns the finding if the innermost scope holds more than `budget` handles. Each scope is reported once.
    ///
    /// Both counts must be known. The level shows that handles created now land in the innermost recorded scope, and not in
    /// an unrecorded one inside it.
    pub(crate) fn over_budget(&mut self, budget: u64, counts: EngineCounts) -> Option<Finding> {
        let at = self
            .entries
            .iter()
            .rposition(|entry| entry.holds_handles())?;
        let entry = self.entries[at];
        let held = counts.handles?.saturating_sub(entry.handles?);
        if held <= budget || entry.level != Some(counts.level?) {
            return None;
        }
        self.entries[at].handles = None;
        Some(Finding::ScopeBudget(ScopeBudget {
            scope: self.scope_ref(&entry)?,
            held,
            budget,
        }))
    }
}
