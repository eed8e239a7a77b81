//! Turns of a host that marks none, by what its loop does.
//!
//! A loop that serves requests or events comes back, again and again, to the one scope in which it waits, and has the engine
//! do its own pending work there (V8's `PumpMessageLoop`). So where the engine is pumped twice with the same scope innermost,
//! and JavaScript was called in between, a turn has ended: what it left in that scope stays there for as long as the loop
//! goes on.
//!
//! Once is not enough, for a host may pump at the start of each turn inside that turn's own scope, and then goes on in it.
//! Nor is a checkpoint for microtasks: deno_core has several of them in one turn, with calls in between. A host that pumps
//! with nothing open leaves nothing behind. Nothing is said of any of these, and nothing of a callback by itself before its turn
//! is over: a loop that has ended looks the same until then. Where the host marks its turns, its word is taken.

use super::pump::Pump;
use super::{Kind, ScopeStack};
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::turn::TurnRef;
use crate::engine::counters::EngineCounts;
use crate::place::Place;

impl ScopeStack {
    /// The host has the engine do its own work, at `place`.
    pub fn host_waits(&mut self, place: Place, seen: EngineCounts) -> Option<Finding> {
        let innermost = *self.entries.last()?;
        let is_scope = matches!(innermost.kind, Kind::Scope(kind) if kind.holds_handles());
        if !is_scope || self.turns_begun > 0 || innermost.level != seen.level {
            return None;
        }
        let before = self.pump.filter(|pump| pump.scope == innermost.id);
        let ended = before.filter(|pump| pump.callbacks_begun < self.callbacks_begun);
        let turns = before.map_or(0, |pump| pump.turns) + u64::from(ended.is_some());
        self.pump = Some(Pump {
            scope: innermost.id,
            callbacks_begun: self.callbacks_begun,
            counts: seen,
            turns,
        });
        let grown = seen.handles?.checked_sub(ended?.counts.handles?)?;
        (grown > 0).then(|| {
            Finding::OuterGrowth(OuterGrowth {
                ended: Ended::Turn,
                opener: self.receiving_scope(seen.level),
                turn: TurnRef {
                    number: turns,
                    place,
                    gc: None,
                },
                grown,
            })
        })
    }

    /// Whether nothing was open at some moment since the first scope: then no scope outlives the host's turns.
    pub fn was_empty_once(&self) -> bool {
        self.was_empty
    }
}
