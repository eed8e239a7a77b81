//! The accounting of handles: which scope receives them, and which report covers them. The verdict of `outer-growth`.
//!
//! A turn keeps how much of its growth was reported ([`Turn::reported_handles`]) and which report covers handles that are
//! created now ([`Turn::last_report`]). See the [parent module](super) for the rule.

use super::ScopeStack;
use super::entry::{Callback, Kind, Turn};
use super::outcome::{LateHandles, Outcome, ReportRef};
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::makers::Makers;
use crate::describe::opener::Opener;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

/// How many scopes the engine opens between a callback and native code that runs in it: V8 has one for the call itself
/// (`api-inl.h`, `EnterV8Scope`), and one around the native code.
const ENGINES_SCOPES: u32 = 2;

impl ScopeStack {
    /// Whether [`open_scope`](Self::open_scope) needs the number of handles: it puts an end to late handles.
    #[inline]
    pub(crate) fn wants_handles(&self) -> bool {
        // A scope inside a callback is part of the callback, whose end counts everything.
        self.depth == 0
            && self.callbacks_in_turn == 0
            && self
                .turns
                .last()
                .is_some_and(|turn| turn.last_report.is_some())
    }

    /// Sets the report that covers the handles of the innermost callback, `id`. Returns the handles that are to be added to it
    /// at once: those created in the turn before the callback, which no report covers.
    pub(crate) fn set_report(&mut self, id: EntryId, report_ref: ReportRef) -> Option<LateHandles> {
        let callback = self
            .callbacks
            .last_mut()
            .filter(|callback| callback.id == id)?;
        callback.report_ref = Some(report_ref);
        let handles = callback.handles?;
        let turn = self.turns.last_mut()?;
        turn.last_report = Some(report_ref);
        let before = turn.unreported_handles(handles)?;
        turn.reported_handles += before;
        LateHandles::new(report_ref, before)
    }

    /// Returns the report that covers a handle created now: the one of the innermost callback, or of one before it in the
    /// innermost turn.
    pub(crate) fn last_report(&self) -> Option<ReportRef> {
        let callback = self
            .callbacks
            .last()
            .and_then(|callback| callback.report_ref);
        callback.or(self.turns.last().and_then(|turn| turn.last_report))
    }

    /// Lets `report_ref` cover the handles that are created in the innermost turn, until a scope opens in it.
    pub(crate) fn set_last_report(&mut self, report_ref: ReportRef) {
        if let Some(turn) = self.turns.last_mut() {
            turn.last_report = Some(report_ref);
        }
    }

    /// Records that the host has called a function of the engine; `counts` is from inside it, where the engine has opened one scope.
    /// Returns the id issued last if handles were made directly under the turn since it began, or since the last such call.
    pub(crate) fn grown_at_call(&mut self, counts: EngineCounts) -> Option<EntryId> {
        let last = self.last_id();
        let turn = self.turns.last_mut()?;
        let directly = counts.level? == turn.level? + 1;
        // The callback that was reported made the others.
        if !directly || turn.doubtful || turn.last_report.is_some() {
            return None;
        }
        let now = counts.handles?;
        let before = turn.handles?.max(turn.handles_at_call);
        turn.handles_at_call = now;
        (now > before).then_some(last)
    }

    /// Ends the late handles of the last report, for a scope opens in the turn.
    #[cold]
    pub(super) fn settle_late_handles(&mut self, handles: Option<u64>) -> Option<LateHandles> {
        let turn = self.turns.last_mut()?;
        let report_ref = turn.last_report.take()?;
        let after = turn.unreported_handles(handles?)?;
        turn.reported_handles += after;
        LateHandles::new(report_ref, after)
    }

    /// Accounts for the handles of an exposed callback that has ended: adds them to the callback's report, or reports them.
    #[cold]
    pub(super) fn settle_callback(
        &mut self,
        callback: Callback,
        place: Place,
        counts: EngineCounts,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let opener = self.receiving_scope(counts.level);
        let turn_ref = self.current_turn();
        let (Some(before), Some(now), Some(turn), Some(turn_ref)) = (
            callback.handles,
            counts.handles,
            self.turns.last_mut(),
            turn_ref,
        ) else {
            return outcome;
        };
        // Callbacks and turns inside this callback may have reported some of its handles. They have added them to what is
        // reported of the turn, so no more can be left for this callback than the turn has unreported.
        let unreported = turn.unreported_handles(now).unwrap_or(u64::MAX);
        let grown = now.saturating_sub(before).min(unreported);
        turn.reported_handles += grown;
        match callback.report_ref {
            Some(report_ref) => outcome.late = LateHandles::new(report_ref, grown),
            None if grown > 0 => outcome.findings.push(Finding::OuterGrowth(OuterGrowth {
                ended: Ended::Callback(place),
                opener,
                turn: turn_ref,
                grown,
                makers: Makers::default(),
            })),
            None => {}
        }
        outcome
    }

    /// Accounts for the handles of a turn that ends, by `grown` more than it began with: adds those that no report covers to
    /// the last report, or reports them.
    pub(super) fn settle_turn(&self, turn: &Turn, grown: u64, outcome: &mut Outcome) {
        let unreported = grown.saturating_sub(turn.reported_handles);
        match turn.last_report {
            Some(report_ref) => outcome.late = LateHandles::new(report_ref, unreported),
            None if unreported > 0 => outcome.findings.push(Finding::OuterGrowth(OuterGrowth {
                ended: Ended::Turn,
                opener: self.receiving_scope(turn.level),
                turn: turn.as_ref(),
                grown: unreported,
                makers: Makers::default(),
            })),
            None => {}
        }
    }

    /// The scope in which handles land while no scope of the turn is open and the engine is at `level`.
    pub(super) fn receiving_scope(&self, level: Option<u32>) -> Opener {
        // A scope that an earlier turn left open has left the record, but the engine still has it at its level.
        if level.is_some()
            && let Some(leaked) = self.leaked.filter(|leaked| leaked.level == level)
            && let Some(scope) = self.scope_ref(&leaked)
        {
            return Opener::Known(scope);
        }
        let barrier = self
            .turns
            .last()
            .map_or(self.entries.len(), |turn| turn.barrier);
        let innermost = self.entries[..barrier]
            .iter()
            .rev()
            .find(|entry| entry.holds_handles());
        let recorded = innermost.and_then(|entry| Some((entry.level, self.scope_ref(entry)?)));
        match (level, recorded) {
            (Some(0), _) => Opener::Nothing,
            // The engine stands higher than the innermost recorded scope, so another was opened inside it.
            (Some(now), Some((Some(inside), _))) if inside < now => self.unrecorded(barrier, now),
            (_, Some((_, scope))) => Opener::Known(scope),
            (Some(now), None) => self.unrecorded(barrier, now),
            (None, None) => Opener::Nothing,
        }
    }

    /// The innermost scope at `level`, which the record does not have below the index `barrier`.
    ///
    /// Between a callback and native code that runs in it, the engine opens [scopes of its own](ENGINES_SCOPES). So a scope that
    /// stands no higher above the callback is the engine's. Where hooks record the scopes of all other code, any scope that
    /// they did not record inside the callback is.
    fn unrecorded(&self, barrier: usize, level: u32) -> Opener {
        let innermost = self.entries[..barrier]
            .iter()
            .rev()
            .find(|entry| entry.holds_handles() || matches!(entry.kind, Kind::Callback));
        match innermost {
            Some(entry)
                if matches!(entry.kind, Kind::Callback)
                    && (level <= entry.level.unwrap_or(0) + ENGINES_SCOPES
                        || self.has_hooked_scopes()) =>
            {
                Opener::Engine(entry.place)
            }
            _ => Opener::Unrecorded,
        }
    }

    /// Whether a hook recorded a scope that is open.
    fn has_hooked_scopes(&self) -> bool {
        self.entries.iter().any(|entry| entry.storage != 0)
    }
}
