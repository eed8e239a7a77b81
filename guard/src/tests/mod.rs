//! Unit tests that are too long to stand under what they test, and the models.

#[cfg(not(loom))]
mod host;
#[cfg(not(loom))]
mod stack;
#[cfg(not(loom))]
mod stack_properties;

#[cfg(loom)]
mod loom_sites;
#[cfg(loom)]
mod loom_start;
