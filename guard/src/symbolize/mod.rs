//! Looks up names for captured addresses.
//!
//! What depends on the target is in [`platform`]: one of two modules that have the same names, so that the rest of the crate
//! needs no `cfg`.

pub(crate) mod address;
mod by_address;
pub(crate) mod frame;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod linux_x86_64;
pub(crate) mod located_stack;
pub(crate) mod module;
pub(crate) mod names;
pub(crate) mod native_call;
// The tests compile it too, so that it keeps up with its twin.
#[cfg(any(test, not(all(target_os = "linux", target_arch = "x86_64"))))]
pub(crate) mod portable;
pub(crate) mod symbol;
pub(crate) mod trace;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use linux_x86_64 as platform;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) use portable as platform;
