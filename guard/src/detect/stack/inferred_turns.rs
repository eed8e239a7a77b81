//! Turns of a host that marks none, inferred from what its loop does. The verdict of `outer-growth` for such a host.
//!
//! A loop that serves requests or events comes back, again and again, to the one scope in which it waits, and pumps the engine
//! there: it lets the engine do its own pending work (V8's `PumpMessageLoop`, or `Task::Run` in a host that runs V8's tasks
//! itself). So if the host pumps the engine twice with the same scope innermost, and has called JavaScript in between, a turn has
//! ended. What the turn left in that scope stays there until the loop ends.
//!
//! What is made between two pumps can be watched, as in a turn that is marked, so that the report names who made it.
//!
//! These get no verdict:
//!
//! - The first pump in a scope. A host may pump at the start of each turn, inside that turn's own scope, and go on in it.
//! - A checkpoint for microtasks. deno_core has several of them in one turn, with calls in between.
//! - A host that pumps with nothing open. It leaves nothing behind.
//! - A callback by itself, before its turn is over. A loop that has ended looks the same until then.
//! - A host that marks its turns. Its marks count, and nothing is inferred.

use super::ScopeStack;
use super::pump::Pump;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::makers::Makers;
use crate::describe::opener::Opener;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::turn::TurnRef;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

impl ScopeStack {
    /// Records that the host pumps the engine at `place`. Returns the finding if a turn has ended there and left handles.
    pub(crate) fn infer_turn(&mut self, place: Place, counts: EngineCounts) -> Option<Finding> {
        let innermost = *self.entries.last()?;
        if !innermost.holds_handles() || self.turns_begun > 0 || innermost.level != counts.level {
            return None;
        }
        let before = self.pump.filter(|pump| pump.scope == innermost.id);
        let ended = before.filter(|pump| pump.callbacks_begun < self.callbacks_begun);
        let turns = before.map_or(0, |pump| pump.turns) + u64::from(ended.is_some());
        self.pump = Some(Pump {
            scope: innermost.id,
            callbacks_begun: self.callbacks_begun,
            counts,
            turns,
            watched: false,
        });
        let grown = counts.handles?.checked_sub(ended?.counts.handles?)?;
        let opener = Opener::Known(self.scope_ref(&innermost)?);
        let turn = TurnRef {
            number: turns,
            place,
            gc: None,
        };
        let finding = Finding::OuterGrowth(OuterGrowth {
            ended: Ended::Turn,
            opener,
            turn,
            grown,
            makers: Makers::default(),
        });
        (grown > 0).then_some(finding)
    }

    /// Returns the scope in which the host has just pumped the engine, and the number of the turn that may begin there. `None` if no turn
    /// is inferred there.
    pub(crate) fn pumped(&self, level: Option<u32>) -> Option<(EntryId, u64)> {
        let innermost = self.entries.last()?;
        let pump = self.pump.filter(|pump| pump.scope == innermost.id)?;
        let infers = self.turns_begun == 0 && innermost.level == level;
        infers.then_some((pump.scope, pump.turns + 1))
    }

    /// Records that the turn that may have begun at the last pump is watched.
    pub(crate) fn watch_pumped(&mut self) {
        if let Some(pump) = &mut self.pump {
            pump.watched = true;
        }
    }

    /// Ends the watch of the turn that may have begun at the last pump. Returns the scope of that pump, if the turn was watched.
    pub(crate) fn end_watch_of_pumped(&mut self) -> Option<EntryId> {
        let pump = self.pump.as_mut().filter(|pump| pump.watched)?;
        pump.watched = false;
        Some(pump.scope)
    }

    /// Whether a turn is open that may be watched: a marked one, or one that may have begun at a pump.
    pub(crate) fn is_in_turn(&self) -> bool {
        let pumped = |pump: Pump| pump.watched && self.is_open(pump.scope);
        !self.turns.is_empty() || self.pump.is_some_and(pumped)
    }

    /// Whether nothing was open at some moment since the first scope. No scope outlives the host's turns then.
    pub(crate) fn was_empty_once(&self) -> bool {
        self.was_empty
    }
}
