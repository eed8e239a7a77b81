//! handleguard for V8.

mod calibrate;
mod call;
mod engine;
mod ffi;
mod macros;
mod make_callback;
mod watch;

pub use call::{
    GuardedFunction, GuardedIsolate, GuardedMicrotaskQueue, GuardedModule, GuardedScript,
};
pub use engine::V8;
pub use make_callback::make_callback;
pub use watch::watch;

pub use handleguard;
#[cfg(feature = "testing")]
pub use handleguard::testing;

/// What the macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use handleguard;
    pub use handleguard::finding::ScopeKind;
    pub use v8;

    use crate::V8;
    use handleguard::{Place, ScopeGuard, TurnGuard};

    #[inline]
    #[track_caller]
    pub fn open(isolate: &mut v8::Isolate, kind: ScopeKind, name: &'static str) -> ScopeGuard<V8> {
        handleguard::scope_at(crate::watch(isolate), kind, Place::here(name))
    }

    #[inline]
    #[track_caller]
    pub fn turn(isolate: &mut v8::Isolate, name: &'static str) -> TurnGuard<V8> {
        handleguard::turn_at(crate::watch(isolate), Place::here(name))
    }

    /// The path of the function in which `here` is declared.
    #[inline]
    pub fn function_around<F>(here: F) -> &'static str {
        let name = std::any::type_name_of_val(&here);
        name.strip_suffix("::here").unwrap_or(name)
    }
}

/// V8 for the examples in this documentation.
#[doc(hidden)]
pub mod __doctest {
    use std::sync::Once;

    pub fn setup() {
        static START: Once = Once::new();
        START.call_once(|| {
            v8::V8::initialize_platform(
                v8::new_single_threaded_default_platform(false).make_shared(),
            );
            v8::V8::initialize();
        });
    }
}
