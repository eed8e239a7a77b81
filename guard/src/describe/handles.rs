//! A number of handles, in words.

use std::fmt;

/// `1 handle`, `2 handles`.
pub(crate) struct Handles(pub(crate) u64);

impl fmt::Display for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} handle{plural}", self.0)
    }
}
