//! Persistent handles that are made and never reset: the verdict of `global-growth`.
//!
//! A persistent handle lives until it is reset, whatever scope closes. No single turn shows that one is
//! forgotten: a cache that fills, a listener that is added, and a handle that nobody resets look the same. So the verdict is by
//! repetition, on the engine's own count, and of a number that right code comes back from.
//!
//! - At the end of the isolate, over its whole life: the count was higher at each of eight or more moments, evenly spaced, by
//!   about the same number each time, and what had piled up was still alive at the end. A cache that fills and stays full, a
//!   pool that breathes, and what a host resets before it ends get no verdict.
//! - At the ticks of a long run: higher at each of three in a row, by about the same number, and by 10,000 in all.
//!
//! The engine's count holds more than what the host has left: weak handles whose objects are garbage, until the next collection,
//! and handles of the engine's own, such as a debugger's. So with hooks, handles that the host was seen to make and leave must explain
//! the growth; without them, it must have outlived two full collections.
//!
//! The moments are counted in turns; or in scopes and calls together, if the host marks no turn, and then a life is judged only
//! if it has many calls: a start-up that registers functions, each in a scope, has few.

use super::ScopeStack;
use super::persistent::Evidence;
use super::replay::HINT_AFTER;
use crate::describe::finding::Finding;
use crate::describe::rules::global_growth::Steps;
use crate::place::Place;
use std::time::Duration;

/// The least calls of a life in which no turn is marked. The record has counted as many exactly, up to [`HINT_AFTER`].
const MIN_CALLS: u64 = HINT_AFTER;

impl ScopeStack {
    /// Whether it is time to [look at](Self::look_at_persistent_handles) the persistent handles.
    #[inline]
    pub(crate) fn persistent_handles_are_due(&self) -> bool {
        self.persistent.is_due(self.steps().1)
    }

    /// Looks at the persistent handles, whose number `count` returns, at the time `now`; ticks are `tick` apart. `hooked`: hooks record
    /// each that the host makes. Returns the finding if they have grown at each of the last ticks.
    pub(crate) fn look_at_persistent_handles(
        &mut self,
        now: Duration,
        tick: Duration,
        hooked: bool,
        count: impl FnOnce() -> Option<u64>,
    ) -> Option<Finding> {
        // The engine must not be asked in a collection.
        if self.phase().is_some() {
            return None;
        }
        let steps = self.steps();
        let evidence = self.evidence(hooked);
        let growth = self.persistent.look(steps, (now, tick), evidence, count)?;
        Some(Finding::GlobalGrowth(growth))
    }

    /// Judges the whole life of the isolate so far, once. `hooked` and `count` are as in
    /// [`look_at_persistent_handles`](Self::look_at_persistent_handles).
    pub(crate) fn judge_persistent_handles(
        &mut self,
        hooked: bool,
        count: impl FnOnce() -> Option<u64>,
    ) -> Option<Finding> {
        let steps = self.steps();
        let is_start = steps.0 == Steps::ScopesAndCalls && self.callbacks_begun < MIN_CALLS;
        if is_start || self.phase().is_some() {
            return None;
        }
        let evidence = self.evidence(hooked);
        let growth = self.persistent.judge_life(steps, evidence, count)?;
        Some(Finding::GlobalGrowth(growth))
    }

    /// Whether it is counted who makes persistent handles.
    pub(crate) fn counts_makers(&self) -> bool {
        self.persistent.makers.is_counting()
    }

    /// Counts a persistent handle that was made at the address `handle`, if it is [counted](Self::counts_makers) who makes them.
    pub(crate) fn persistent_handle_made(&mut self, handle: usize, maker: impl FnOnce() -> Place) {
        self.persistent.makers.made(handle, maker);
    }

    /// Counts that the persistent handle at the address `handle` is reset.
    pub(crate) fn persistent_handle_reset(&mut self, handle: usize) {
        self.persistent.makers.reset(handle);
    }

    fn evidence(&self, hooked: bool) -> Evidence {
        Evidence {
            hooked,
            collections: self.full_collections,
        }
    }

    /// The steps of the isolate so far: turns, or scopes and calls if the host has marked no turn.
    #[inline]
    fn steps(&self) -> (Steps, u64) {
        match self.turns_begun {
            0 => (Steps::ScopesAndCalls, self.pushed),
            turns => (Steps::Turns, turns),
        }
    }
}
