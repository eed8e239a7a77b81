//! The configuration: what the checker checks, and what it does about a violation.

pub(crate) mod action;
pub(crate) mod addon;
pub(crate) mod directives;
pub(crate) mod rule;
pub(crate) mod settings;
