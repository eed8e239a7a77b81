//! The checker of this process: its start, its periodic report, and the lines that it prints about itself.

pub(crate) mod announce;
pub(crate) mod banner;
pub(crate) mod global;
pub(crate) mod posix;
mod privilege;
pub(crate) mod reporter;
pub(crate) mod seal;
pub(crate) mod start;
