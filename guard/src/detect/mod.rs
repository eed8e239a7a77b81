//! The scope stack and its verdicts: pure functions that return findings.

pub mod finding;
pub(crate) mod isolate;
pub mod stack;
