//! What is checked, and what is done about it.

pub(crate) mod action;
pub(crate) mod addon;
pub(crate) mod directives;
pub(crate) mod rule;
pub(crate) mod settings;
