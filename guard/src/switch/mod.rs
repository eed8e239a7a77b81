//! The one place that decides whether the checks are compiled in: with `debug_assertions`, like `debug_assert!`, or with
//! the feature `enabled`. Both twins are always type-checked.

pub mod off;
pub mod on;

#[cfg(any(debug_assertions, feature = "enabled"))]
pub use self::on::*;

#[cfg(not(any(debug_assertions, feature = "enabled")))]
pub use self::off::*;

/// Expands to its tokens where the checks are compiled in, and to nothing where they are not; of `{ .. } else { .. }`, to
/// the first or the second. For the macros of engine layers.
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
