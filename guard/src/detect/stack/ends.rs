//! The ends of turns and isolates, and the verdict of `never-closed`.

use super::ScopeStack;
use super::outcome::Outcome;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::never_closed::NeverClosed;
use crate::describe::scope::ScopeKind;
use crate::describe::turn::TurnRef;
#[cfg(feature = "testing")]
use crate::describe::unjudged::Unjudged;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

impl ScopeStack {
    /// Ends the turn `id`; `counts` is from just after.
    pub(crate) fn end_turn(&mut self, id: EntryId, counts: EngineCounts) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(at) = self.turns.iter().rposition(|turn| turn.id == id) else {
            return outcome;
        };
        let turn = self.turns[at];
        let leaked = levels_since(counts.level, turn.level);
        // The level of a doubtful turn was changed to that of the engine, so it proves nothing.
        if !turn.doubtful {
            let turn_ref = Some(turn.as_ref());
            let from = turn.barrier + 1;
            outcome.findings = self.never_closed(from, counts.level, leaked, Ended::Turn, turn_ref);
        }
        // A scope that is still open holds handles, and its own report is enough.
        let grown = turn.grown(counts);
        if let Some(Finding::NeverClosed(outermost)) = outcome.findings.first_mut() {
            outermost.left = grown.saturating_sub(turn.reported_handles);
        }
        if leaked.unwrap_or(0) == 0 && outcome.findings.is_empty() {
            self.settle_turn(&turn, grown, &mut outcome);
        }
        // Scopes left open raise the level of every turn from now on. The turns around must not report them again, and
        // handles that land in them are to be blamed on their openers.
        if let Some(levels @ 1..) = leaked {
            self.keep_leaked(turn.barrier, levels, counts.level);
        }
        if self.entries.len() == turn.barrier + 1 {
            self.entries.pop();
            self.turns.pop();
            self.depth = turn.outer_depth;
            self.callbacks_in_turn = turn.outer_callbacks;
        } else {
            self.truncate(turn.barrier);
        }
        // The growth is also growth of the turn around, where it is reported now.
        if turn.exposed
            && let Some(outer) = self.turns.last_mut()
        {
            outer.reported_handles += grown;
        }
        outcome
    }

    /// Whether [`end_turn`](Self::end_turn) can judge the turn `id`, which is the closure of a test; `counts` is from just after.
    #[cfg(feature = "testing")]
    pub(crate) fn can_judge(&self, id: EntryId, counts: EngineCounts) -> Result<(), Unjudged> {
        match self.turns.iter().find(|turn| turn.id == id) {
            None => Err(Unjudged::EndedEarly),
            Some(turn) if turn.doubtful => Err(Unjudged::Desync),
            Some(turn) if counts.level.is_some() && counts.level < turn.level => {
                Err(Unjudged::ClosedOuterScope)
            }
            Some(_) => Ok(()),
        }
    }

    /// Ends the isolate and empties the stack; `counts` is from just before.
    pub(crate) fn end_isolate(&mut self, counts: EngineCounts) -> Vec<Finding> {
        // Scopes that turns left open were reported then.
        let leaked = levels_since(counts.level, Some(self.leaked_levels));
        let findings = self.never_closed(0, counts.level, leaked, Ended::Isolate, None);
        self.truncate(0);
        findings
    }

    /// Records that the thread leaves the isolate at `place`; `counts` is from just before. `entered` is the id that was
    /// [issued last](Self::last_id) when the thread entered the isolate, and `level` the engine's level then.
    ///
    /// Scopes opened since must be closed by now: they would close in an isolate that is not entered.
    pub(crate) fn leave_isolate(
        &mut self,
        entered: EntryId,
        level: Option<u32>,
        place: Place,
        counts: EngineCounts,
    ) -> Vec<Finding> {
        let from = self.entries.partition_point(|entry| entry.id <= entered);
        let leaked = levels_since(counts.level, level);
        let findings = self.never_closed(from, counts.level, leaked, Ended::Exit(place), None);
        if !findings.is_empty() {
            // So that the end of the isolate does not report them again.
            self.leaked_levels += leaked.unwrap_or(0);
            self.truncate(from);
        }
        findings
    }

    /// Reports the scopes from the index `from` upwards that are still open where they must be closed: by the engine's `level`,
    /// or by the record if the level is unknown. `leaked` is their number by the engine's count.
    fn never_closed(
        &self,
        from: usize,
        level: Option<u32>,
        leaked: Option<u32>,
        ended: Ended,
        turn: Option<TurnRef>,
    ) -> Vec<Finding> {
        // The cheap exits: the engine has closed everything, or there is nothing to look at.
        if leaked == Some(0) || (leaked.is_none() && self.entries.len() == from) {
            return Vec::new();
        }
        let finding = |scope| {
            Finding::NeverClosed(NeverClosed {
                scope,
                ended,
                turn,
                left: 0,
            })
        };
        let mut findings: Vec<Finding> = self
            .entries
            .get(from..)
            .unwrap_or_default()
            .iter()
            // The engine has closed a scope whose level is higher than the present one; only its guard is left.
            .filter(|entry| match (entry.level, level) {
                (Some(inside), Some(now)) => inside <= now,
                _ => true,
            })
            .filter_map(|entry| self.scope_ref(entry))
            // A `CallbackScope` stands for a scope that the engine opened, and the engine closes it.
            .filter(|scope| scope.kind != ScopeKind::CallbackScope)
            .map(|scope| finding(Opener::Known(scope)))
            .collect();
        // The engine may have a scope open that the record does not have. An orphan explains it, and was reported when the
        // scope around it closed; else code without a guard opened it.
        let since = from.checked_sub(1).map(|below| self.entries[below].id);
        let is_reported = self
            .orphans
            .iter()
            .any(|orphan| orphan.holds_handles() && since.is_none_or(|since| orphan.id > since));
        if findings.is_empty() && leaked.is_some() && !is_reported && !self.raced {
            findings.push(finding(Opener::Unrecorded));
        }
        findings
    }
}

/// How many more scopes the engine has open at the level `now` than at `before`.
fn levels_since(now: Option<u32>, before: Option<u32>) -> Option<u32> {
    Some(now?.saturating_sub(before?))
}
