//! What the tests of every crate share. It depends on none of them, so that the core can use it too.

pub mod child;
pub mod normal;
