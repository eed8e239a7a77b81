//! Calls into JavaScript, and the verdict of `missing-scope`.
//!
//! A checkpoint for microtasks is a call that gets no such verdict. V8 opens a scope for the microtasks itself
//! (`microtask-queue.cc`, `MicrotaskQueue::RunMicrotasks`), and returns no handle. What is left of a checkpoint comes from the
//! host's own code that V8 calls after the last microtask, outside that scope (`MicrotaskQueue::OnCompleted`).

use super::ScopeStack;
use super::entry::{Callback, Kind};
use super::outcome::Outcome;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::missing_scope::MissingScope;
use crate::describe::scope::ScopeKind;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

impl ScopeStack {
    /// Whether a handle that is created now would land in a scope that outlives the turn, or in no scope.
    ///
    /// This decides `missing-scope`. If the engine's level is known now and was known when the turn began, it alone counts.
    /// Otherwise the record counts, and an open callback counts as a scope: engines open one for native code that JavaScript
    /// calls, so a report would be a guess.
    #[inline]
    pub(crate) fn exposed(&self, level: Option<u32>) -> bool {
        let unrecorded = self.depth == 0 && self.callbacks_in_turn == 0;
        match self.turns.last() {
            Some(turn) if turn.doubtful => false,
            Some(turn) => match (level, turn.level) {
                (Some(now), Some(before)) => now <= before,
                _ => unrecorded,
            },
            None => level.map_or(unrecorded, |now| now == 0),
        }
    }

    /// Begins a call into JavaScript; `counts` is from just before. The number of handles is needed only if the callback is
    /// [exposed](Self::exposed).
    #[inline]
    pub(crate) fn begin_callback(
        &mut self,
        place: Place,
        counts: EngineCounts,
    ) -> (EntryId, Option<Finding>) {
        let exposed = self.exposed(counts.level);
        let opener = if self.phase().is_some() {
            // `in-gc` reports a callback in any phase of garbage collection; one report is enough.
            None
        } else if exposed {
            Some(self.receiving_scope(counts.level))
        } else if self.strict {
            self.enclosing_caller()
        } else {
            None
        };
        let finding = opener.map(|opener| {
            Finding::MissingScope(MissingScope {
                callback: place,
                opener,
                turn: self.current_turn(),
            })
        });
        (self.push_callback(place, counts, exposed), finding)
    }

    /// Begins a checkpoint for microtasks, as [`begin_callback`](Self::begin_callback). It needs no scope around it: the engine
    /// opens one for the microtasks that it runs. Only what the checkpoint leaves behind is judged, at its
    /// [end](Self::end_callback).
    #[inline]
    pub(crate) fn begin_checkpoint(&mut self, place: Place, counts: EngineCounts) -> EntryId {
        let exposed = self.exposed(counts.level);
        self.push_callback(place, counts, exposed)
    }

    #[inline]
    fn push_callback(&mut self, place: Place, counts: EngineCounts, exposed: bool) -> EntryId {
        if let Some(entry) = self.entries.last_mut() {
            entry.served = true;
        }
        let id = self.push(Kind::Callback, place, counts.level);
        self.callbacks_begun += 1;
        self.callbacks_in_turn += 1;
        self.callbacks.push(Callback {
            id,
            exposed: exposed && !self.turns.is_empty(),
            handles: if exposed { counts.handles } else { None },
            report_ref: None,
        });
        id
    }

    /// The JavaScript caller, if a callback that starts now is enclosed by no scope but the caller's.
    fn enclosing_caller(&self) -> Option<Opener> {
        for entry in self.entries.iter().rev() {
            match entry.kind {
                Kind::Scope(ScopeKind::HandleScope | ScopeKind::EscapableHandleScope)
                | Kind::Turn => return None,
                Kind::Scope(_) | Kind::Lost => {}
                Kind::Callback => return Some(Opener::Caller(entry.place)),
            }
        }
        None
    }

    /// Whether a guard has recorded the call that a hook sees now. If the level is higher than at the guard's callback,
    /// JavaScript runs inside that callback, and native code that it called makes another call.
    #[inline]
    pub(crate) fn call_is_recorded(&self, level: Option<u32>) -> bool {
        self.entries.last().is_some_and(|entry| {
            let by_guard = !entry.place.location.is_code();
            matches!(entry.kind, Kind::Callback)
                && by_guard
                && (entry.level.is_none() || level.is_none() || entry.level == level)
        })
    }

    /// Whether the innermost callback is exposed, so that its end needs the number of handles.
    pub(crate) fn callback_is_exposed(&self) -> bool {
        self.callbacks
            .last()
            .is_some_and(|callback| callback.exposed)
    }

    /// Ends the callback `id`; `counts` is from just after the call. The number of handles is needed only if the callback is
    /// [exposed](Self::callback_is_exposed).
    pub(crate) fn end_callback(&mut self, id: EntryId, counts: EngineCounts) -> Outcome {
        let Some(index) = self.callbacks.iter().rposition(|open| open.id == id) else {
            return Outcome::default();
        };
        let callback = self.callbacks[index];
        let Some(at) = self.position(id) else {
            return Outcome::default();
        };
        let place = self.entries[at].place;
        if at + 1 == self.entries.len() {
            self.entries.pop();
            self.callbacks.pop();
            self.callbacks_in_turn -= 1;
        } else {
            self.end_callbacks_from(index);
        }
        if callback.exposed {
            self.settle_callback(callback, place, counts)
        } else {
            Outcome::default()
        }
    }

    /// Ends the open callbacks from `index` inwards. Scopes and turns inside them stay open: their own guards close them.
    #[cold]
    fn end_callbacks_from(&mut self, index: usize) {
        for callback in self.callbacks.split_off(index) {
            let Some(at) = self.position(callback.id) else {
                continue;
            };
            self.remove_from_between(at);
            // The first turn inside the callback has counted it among those to go back to.
            let mut inside = self.turns.iter_mut().filter(|turn| turn.id > callback.id);
            if let Some(turn) = inside.next() {
                turn.outer_callbacks -= 1;
            }
        }
        self.recount();
    }
}
