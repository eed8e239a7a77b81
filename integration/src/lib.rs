//! [handleguard] for V8: guarded scopes and calls for the [`v8`] crate, judged by V8's own state.
//!
//! # Adoption is an import
//!
//! [`scope!`], [`scope_with_context!`], [`escapable_handle_scope!`], [`tc_scope!`] and [`callback_scope!`] take what the v8
//! crate's macros of that name take, and bind the same types. [`turn!`] marks each pass of the event loop, and the
//! [`guarded_call`](GuardedFunction::guarded_call)s and [`make_callback`] are where callbacks are judged:
//!
//! ```
//! use handleguard_v8::{make_callback, scope, turn};
//!
//! fn on_close(scope: &mut v8::PinScope, callback: &v8::Global<v8::Function>) {
//!     scope!(let scope, scope); // without this line, each close leaks: that is what handleguard finds
//!     let callback = v8::Local::new(scope, callback);
//!     let handle = v8::Object::new(scope);
//!     make_callback(scope, "on_close", handle, callback, &[]);
//! }
//!
//! # let _v8 = handleguard_v8::__doctest::setup();
//! # let isolate = &mut v8::Isolate::new(Default::default());
//! # let mut passes = 0;
//! scope!(let scope, isolate); // lives as long as the program
//! let context = v8::Context::new(scope, Default::default());
//! let scope = &mut v8::ContextScope::new(scope, context);
//! # let code = v8::String::new(scope, "(function onClose() {})").unwrap();
//! # let callback = v8::Script::compile(scope, code, None).unwrap().run(scope).unwrap();
//! # let callback: v8::Local<v8::Function> = callback.try_into().unwrap();
//! # let callback = v8::Global::new(scope, callback);
//! loop {
//!     turn!(scope, "event loop");
//!     on_close(scope, &callback);
//! #   passes += 1;
//! #   if passes == 3 { break }
//! }
//! ```
//!
//! # V8 is the truth
//!
//! A verdict compares V8's own count of open scopes now with that at the turn's start, so scopes that no macro of this crate
//! opened count too: those of V8's C++, and the one that its generated code opens round each native function that JavaScript
//! calls. The record of this crate says who opened what. How V8's state is read, without a private header, is in `engine.rs`
//! and `calibrate.rs`; each fact that this relies on has a test.
//!
//! # Handles that V8 refuses
//!
//! V8 aborts where a handle is made with no scope at all, with three lines and no stack. handleguard's report comes before:
//! it is V8's fatal-error handler of each isolate in which a guard was used. `HANDLEGUARD=sealed=abort` seals each turn by V8's
//! own `SealHandleScope`, so that a handle made directly under it is refused too, whoever makes it: C++, generated bindings,
//! `Local::new`.
//!
//! # What it cannot see
//!
//! Beside what [handleguard](handleguard#what-it-cannot-see) says:
//!
//! - Calls into JavaScript by `v8::Function::call` itself, in this program or in a crate that it uses. *Missed bug* for
//!   `missing-scope`; the handles that they leave are still found at the end of the turn, as `outer-growth`.
//! - The opener of a scope that plain `v8::scope!` opened. Its handles are found; the report says that it was out of sight.
//! - Off x86-64 Linux, native frames below JavaScript: a stack that begins in a native function called from JavaScript ends at
//!   V8's builtins there, for they have no unwind tables. On x86-64 Linux it goes on, with the JavaScript functions in their
//!   place.

mod addon;
mod calibrate;
mod call;
mod engine;
mod ffi;
mod gc;
mod guards;
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
mod interpose;
mod macros;
mod make_callback;
mod script;
mod seal;
#[cfg(feature = "testing")]
pub mod testing;
mod watch;

pub use addon::{addon_callback_guard, addon_guard, addon_scope_guard};
pub use call::{
    GuardedFunction, GuardedIsolate, GuardedMicrotaskQueue, GuardedModule, GuardedScript,
};
pub use engine::{V8, handles, level};
pub use gc::gc_guard;
pub use guards::{callback_guard, scope_guard, turn_guard};
pub use make_callback::make_callback;

pub use handleguard;
pub use handleguard::finding::GcPhase;

/// What the macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use handleguard;
    pub use handleguard::finding::ScopeKind;
    pub use v8;

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
            v8::V8::initialize_platform(v8::new_default_platform(0, false).make_shared());
            v8::V8::initialize();
        });
    }
}
