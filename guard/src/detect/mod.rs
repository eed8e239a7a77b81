//! The scope stack and its verdicts: pure functions that return findings.

pub(crate) mod isolate;
pub mod stack;
