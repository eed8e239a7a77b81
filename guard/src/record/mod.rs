//! The site table and the counters.

pub(crate) mod checker;
pub(crate) mod clock;
pub(crate) mod collected;
pub(crate) mod high_water;
pub(crate) mod report;
pub(crate) mod sites;
