//! A handle that the engine refuses, for nothing is open that it could go to.

use super::{Charge, Stack};
use crate::finding::{Finding, Opener};

impl Stack {
    /// The engine refuses to make a handle at `level`.
    pub fn refused(&self, level: Option<u32>) -> Finding {
        let opener = self.swallower(level);
        Finding::Sealed {
            opener,
            turn: match opener {
                Opener::Nothing => None,
                _ => self.current_turn(),
            },
        }
    }

    /// The report that a handle made now is charged to: of the innermost callback, or of one before it in the innermost turn.
    pub fn tail(&self) -> Option<Charge> {
        let callback = self.callbacks.last().and_then(|callback| callback.charge);
        callback.or(self.turns.last().and_then(|turn| turn.tail))
    }

    /// Charges handles made in the innermost turn to a report, until something is opened in it.
    pub fn set_tail(&mut self, charge: Charge) {
        if let Some(turn) = self.turns.last_mut() {
            turn.tail = Some(charge);
        }
    }
}
