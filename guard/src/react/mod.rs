//! The last step of a violation: abort, panic or log it, and show it to a debugger or a tracer.

pub(crate) mod actions;
pub(crate) mod breakpoint;
pub(crate) mod colour;
pub(crate) mod stderr;
pub(crate) mod subscriber;
pub(crate) mod usdt;
