//! Garbage collection, and the verdict of `in-gc`.
//!
//! A collection interrupts anything, so native code that it starts is judged by itself, whatever it interrupted.

use super::ScopeStack;
use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::rules::in_gc::InGc;
use crate::engine::aftermath::Aftermath;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

impl ScopeStack {
    /// Begins native code that garbage collection started, which [`end_turn`](Self::end_turn) ends. It is a barrier, as a turn
    /// is: what is open in the interrupted code does not enclose it.
    pub(crate) fn begin_gc(
        &mut self,
        phase: GcPhase,
        place: Place,
        counts: EngineCounts,
    ) -> EntryId {
        let exposed = !self.turns.is_empty() && self.exposed(counts.level);
        self.push_turn(place, counts, Some(phase), exposed)
    }

    /// Records that a collection begins, as the engine reports.
    pub(crate) fn collection_begins(&mut self) {
        self.collections += 1;
    }

    /// Records that a collection ends, as the engine reports. `full`: it has examined all objects. Its aftermath is looked at where
    /// something begins.
    pub(crate) fn collection_ends(&mut self, full: bool) {
        self.full_collections += u64::from(full);
        self.collections = self.collections.saturating_sub(1);
        self.aftermath = Aftermath::Sweeping;
    }

    /// Asks the engine for the aftermath of the last collection, until that is over.
    #[inline]
    pub(crate) fn look_at_aftermath(&mut self, ask: impl FnOnce() -> Aftermath) {
        if self.aftermath != Aftermath::Over {
            self.aftermath = ask();
        }
    }

    /// Whether what begins must be judged by the aftermath of a collection.
    pub(super) fn has_aftermath(&self) -> bool {
        self.aftermath != Aftermath::Over
    }

    /// Whether a phase is in progress in which no handle may be created, so the engine must not be asked for anything that
    /// creates one.
    pub(crate) fn must_not_ask(&self) -> bool {
        self.phase()
            .is_some_and(|(phase, _)| phase != GcPhase::SecondPass)
    }

    /// Returns the finding if `beginning` is not allowed in the present phase of garbage collection.
    #[inline]
    pub(crate) fn in_gc(&self, beginning: Beginning, place: Place) -> Option<Finding> {
        let (phase, marked) = self.phase()?;
        (!phase.allows(beginning)).then_some(Finding::InGc(InGc {
            beginning,
            place,
            phase,
            marked,
        }))
    }

    /// The phase of garbage collection in progress, and the place of the guard that marks it, if one does.
    #[inline]
    pub(super) fn phase(&self) -> Option<(GcPhase, Option<Place>)> {
        match self.turns.last() {
            Some(turn) if turn.gc.is_some() => turn.gc.map(|phase| (phase, Some(turn.place))),
            _ if self.collections > 0 => Some((GcPhase::Callback, None)),
            _ => match self.aftermath {
                Aftermath::Over | Aftermath::Sweeping => None,
                Aftermath::Destructor => Some((GcPhase::Destructor, None)),
                Aftermath::Finalizer => Some((GcPhase::SecondPass, None)),
            },
        }
    }
}
