//! Records violations: the site table, the high-water marks, and the reports made of them.

pub(crate) mod checker;
pub(crate) mod clock;
pub(crate) mod collected;
pub(crate) mod high_water;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod sites;
pub(crate) mod slot_table;
pub(crate) mod ticked;
pub(crate) mod watch;
