//! The labelled lines of a message.

use std::fmt;

/// Writes labelled lines, with the labels aligned at their right end.
pub(crate) struct Lines<'a, 'b>(pub(crate) &'a mut fmt::Formatter<'b>);

impl Lines<'_, '_> {
    /// Writes one line.
    pub(crate) fn line(&mut self, label: &str, value: impl fmt::Display) -> fmt::Result {
        writeln!(self.0, "{label:>14}: {value}")
    }

    /// Writes the label of the lines that follow, with its caption.
    pub(crate) fn heading(&mut self, label: &str, caption: impl fmt::Display) -> fmt::Result {
        writeln!(self.0, "{label:>14} ({caption}):")
    }
}
