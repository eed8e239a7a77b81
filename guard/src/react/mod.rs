//! The reactions: abort, panic, log.

pub(crate) mod actions;
pub(crate) mod breakpoint;
pub(crate) mod colour;
pub(crate) mod stderr;
pub(crate) mod usdt;
