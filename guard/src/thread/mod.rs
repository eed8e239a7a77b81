//! The state of one thread.

pub(crate) mod entered_isolates;
pub(crate) mod fast_path;
pub(crate) mod first_user;
pub(crate) mod state;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod tls_word;
