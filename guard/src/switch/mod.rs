//! Decides whether the checks are compiled in: with `debug_assertions`, like `debug_assert!`, or with the feature `enabled`. No
//! other file asks. Both twins are compiled in every build, so that neither can break unnoticed.

use crate::config::settings::Config;
use crate::process::global::InitError;

pub mod off;
pub mod on;
#[cfg(test)]
mod twins;

#[cfg(any(debug_assertions, feature = "enabled"))]
pub use self::on::*;

#[cfg(not(any(debug_assertions, feature = "enabled")))]
pub use self::off::*;

// In this file, for it takes the twin that is compiled in.
impl Config {
    /// Starts the checker of this process with this configuration. The directives of the environment variable `HANDLEGUARD`
    /// override it.
    ///
    /// Without this call, the first guard starts the checker with [`Config::new`] and the directives of the variable. Where the
    /// checks are compiled out, this does nothing.
    ///
    /// # Errors
    ///
    /// - [`InitError::Config`] if the variable holds a wrong directive.
    /// - [`InitError::Tick`] if the time between reports is too short, and the variable does not replace it.
    /// - [`InitError::AlreadyStarted`] if the checker is already running.
    ///
    /// The error changes nothing.
    pub fn try_init(self) -> Result<(), InitError> {
        try_init(self)
    }
}

/// Expands to its tokens if the checks are compiled in, and to nothing if they are not. `{ .. } else { .. }` expands to the first or
/// to the second block. For the macros of engine layers.
#[cfg(any(debug_assertions, feature = "enabled"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_compiled_in {
    ({ $($on:tt)* } else { $($off:tt)* }) => { $($on)* };
    ($($tokens:tt)*) => { $($tokens)* };
}

#[cfg(not(any(debug_assertions, feature = "enabled")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_compiled_in {
    ({ $($on:tt)* } else { $($off:tt)* }) => { $($off)* };
    ($($tokens:tt)*) => {};
}
