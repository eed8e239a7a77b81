//! The state of one thread: the scope stacks of its isolates, and the fast path.

pub(crate) mod caught;
pub(crate) mod entered_isolates;
pub(crate) mod fast_path;
pub(crate) mod isolates;
pub(crate) mod log_pointer;
pub(crate) mod number;
pub(crate) mod pending_log;
pub(crate) mod pending_logs;
mod record;
mod remains;
pub(crate) mod siblings;
pub(crate) mod state;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod linux_x86_64;
// The tests compile it too, so that it keeps up with its twin.
#[cfg(any(test, not(all(target_os = "linux", target_arch = "x86_64"))))]
pub(crate) mod portable;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use linux_x86_64 as platform;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) use portable as platform;
