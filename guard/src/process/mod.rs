//! The checker of this process: its start, its periodic report, and the lines that it prints about itself.

pub(crate) mod announce;
pub(crate) mod banner;
pub(crate) mod global;
mod privilege;
pub(crate) mod seal;
pub(crate) mod start;
pub(crate) mod tick;
