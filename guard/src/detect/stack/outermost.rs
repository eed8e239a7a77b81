//! The outermost scope of an isolate whose host marks no turn.

use super::ScopeStack;
use crate::detect::outermost::Outermost;
use crate::place::Place;

impl ScopeStack {
    /// Whether the innermost scope is the outermost one too, so that [`note_outermost`](Self::note_outermost) wants to know of its
    /// close: the host has marked no turn yet.
    #[inline]
    pub(crate) fn closes_outermost(&self) -> bool {
        self.entries.len() == 1 && self.turns_begun == 0 && self.entries[0].holds_handles()
    }

    /// Records that the outermost scope is about to close, with `held` handles in it. `keep` makes its opener a place that holds when
    /// the function has returned.
    #[cold]
    pub(crate) fn note_outermost(&mut self, held: u64, keep: impl FnOnce(Place) -> Place) {
        let scope = self.entries.first().and_then(|entry| self.scope_ref(entry));
        if let Some(scope) = scope {
            let outermost = Outermost {
                kind: scope.kind,
                place: scope.place,
                begun: self.pushed - scope.number,
                held,
            };
            self.outermost.add(outermost, keep);
        }
    }

    /// Returns the outermost scope that enclosed nearly all that the host did, or that held far more handles than any other at its
    /// close; `None` too if the host has turns, marked or inferred, or `scope-growth` was reported. No rule has judged what landed in
    /// such a scope.
    pub(crate) fn unjudged_outermost(&self) -> Option<Outermost> {
        #[cfg(feature = "testing")]
        if self.tests_begun > 0 {
            return None;
        }
        let infers_turns = self.pump.is_some_and(|pump| pump.turns > 0);
        if self.turns_begun > 0 || infers_turns || self.growth_reported {
            return None;
        }
        self.outermost.enclosing(self.pushed - self.first)
    }
}
