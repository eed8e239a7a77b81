//! What the checker asks of a JavaScript engine.

pub(crate) mod aftermath;
pub(crate) mod capabilities;
pub(crate) mod counters;
pub(crate) mod entered;
#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod ids;
pub(crate) mod interface;
pub(crate) mod refused;
pub(crate) mod script_frame;
pub(crate) mod try_catches;
pub(crate) mod wording;
