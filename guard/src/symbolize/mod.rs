//! Names for captured addresses.

pub(crate) mod frame;
pub(crate) mod names;
pub(crate) mod shared_object;
pub(crate) mod trace;
