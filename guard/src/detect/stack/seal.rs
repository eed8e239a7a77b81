//! A handle that the engine refuses, for nothing is open that it could go to.

use super::{ReportRef, ScopeStack};
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::sealed::Sealed;

impl ScopeStack {
    /// The engine refuses to make a handle at `level`.
    pub fn refused(&self, level: Option<u32>) -> Finding {
        let opener = self.receiving_scope(level);
        Finding::Sealed(Sealed {
            opener,
            turn: match opener {
                Opener::Nothing => None,
                _ => self.current_turn(),
            },
        })
    }

    /// The report that a handle made now is charged to: of the innermost callback, or of one before it in the innermost turn.
    pub fn last_report(&self) -> Option<ReportRef> {
        let callback = self
            .callbacks
            .last()
            .and_then(|callback| callback.report_ref);
        callback.or(self.turns.last().and_then(|turn| turn.last_report))
    }

    /// Charges handles made in the innermost turn to a report, until something is opened in it.
    pub fn set_last_report(&mut self, report_ref: ReportRef) {
        if let Some(turn) = self.turns.last_mut() {
            turn.last_report = Some(report_ref);
        }
    }
}
