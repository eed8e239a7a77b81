//! Decides whether the checks are compiled in: with `debug_assertions`, like `debug_assert!`, or with the feature `enabled`. No
//! other file asks. Both twins are compiled in every build, so that neither can break unnoticed.

pub mod off;
pub mod on;
#[cfg(test)]
mod twins;

#[cfg(any(debug_assertions, feature = "enabled"))]
pub use self::on::*;

#[cfg(not(any(debug_assertions, feature = "enabled")))]
pub use self::off::*;

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
