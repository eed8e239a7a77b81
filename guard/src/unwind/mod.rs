//! Captures native stacks as addresses.

pub(crate) mod capture;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod eh_frame;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod frame_pointers;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod loaded_modules;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod stack_memory;
pub(crate) mod truncated;
