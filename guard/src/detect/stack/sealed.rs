//! The verdict of `sealed`: a handle that the engine refuses to create, because no open scope may take it.

use super::ScopeStack;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::sealed::Sealed;

impl ScopeStack {
    /// Returns the finding for a handle that the engine refuses to create at `level`.
    pub(crate) fn refused(&self, level: Option<u32>) -> Finding {
        let opener = self.receiving_scope(level);
        Finding::Sealed(Sealed {
            opener,
            // With no scope at all, the engine refuses the handle whether the turn is sealed or not.
            turn: match opener {
                Opener::Nothing => None,
                _ => self.current_turn(),
            },
        })
    }
}
