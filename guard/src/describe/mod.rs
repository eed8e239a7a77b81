//! A violation as data and as text.

pub(crate) mod details;
pub(crate) mod help;
pub(crate) mod message;
pub(crate) mod sentence;
pub(crate) mod violation;
