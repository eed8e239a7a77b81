//! Garbage collection: it starts anywhere, so what it starts is judged by itself, whatever it interrupted.

use super::{EntryId, ScopeStack};
use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::rules::in_gc::InGc;
use crate::engine::counters::EngineCounts;
use crate::place::Place;

impl ScopeStack {
    /// Native code begins that garbage collection started; [`end_turn`](Self::end_turn) ends it. It is a barrier as a turn is:
    /// what is open in the code that was interrupted does not enclose it.
    pub fn begin_gc(&mut self, phase: GcPhase, place: Place, seen: EngineCounts) -> EntryId {
        let exposed = !self.turns.is_empty() && self.exposed(seen.level);
        self.push_turn(place, seen, Some(phase), exposed)
    }

    /// The engine says that a collection begins.
    pub fn collection_begins(&mut self) {
        self.collections += 1;
    }

    /// The engine says that it is over.
    pub fn collection_ends(&mut self) {
        self.collections = self.collections.saturating_sub(1);
    }

    /// Whether the engine must not be asked for anything that makes a handle.
    pub fn must_not_ask(&self) -> bool {
        self.phase()
            .is_some_and(|(phase, _)| phase != GcPhase::SecondPass)
    }

    /// The finding, if what begins now begins in a phase where it may not.
    #[inline]
    pub fn in_gc(&self, beginning: Beginning, place: Place) -> Option<Finding> {
        let (phase, marked) = self.phase()?;
        (!phase.allows(beginning)).then_some(Finding::InGc(InGc {
            beginning,
            place,
            phase,
            marked,
        }))
    }

    /// The phase that the innermost frame belongs to, and where a guard marks it.
    #[inline]
    pub(super) fn phase(&self) -> Option<(GcPhase, Option<Place>)> {
        match self.turns.last() {
            Some(turn) if turn.gc.is_some() => turn.gc.map(|phase| (phase, Some(turn.place))),
            _ if self.collections > 0 => Some((GcPhase::Callback, None)),
            _ => None,
        }
    }
}
