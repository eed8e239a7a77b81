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
//! Where no scope is at hand, as in code that uses a runtime, [`turn!`] without an isolate marks a turn of the current one, and
//! [`turn_each_poll`] makes each poll of a future a turn. In a test, the closure is a turn.
//!
//! # V8 is the truth
//!
//! A verdict compares V8's own count of open scopes now with that at the turn's start, so scopes that no macro of this crate
//! opened count too: those of V8's C++, and the one that its generated code opens round each native function that JavaScript
//! calls. The record of this crate has who opened what. `isolate.rs` and `calibrate.rs` show how V8's state is read without a
//! private header; each fact that this relies on has a test.
//!
//! # Handles that V8 refuses
//!
//! V8 ends the process where a handle is made with no scope at all, with three lines and no stack. handleguard reports the handle
//! first. Where the [hooks](self#no-source-change) are linked, the hook in `HandleScope::Extend` does so. Where they are not, the
//! first guard of an isolate sets V8's fatal-error handler of that isolate, unless the host has set one before, or `sealed` is
//! `off`. A host that sets its own handler after the first guard replaces handleguard's. handleguard's handler ends the process in
//! V8's own way: with V8's lines, by the signal or exit status that V8's flags choose, for a refused handle and for any other fatal
//! error. `HANDLEGUARD=sealed=abort` seals each turn with V8's
//! own `SealHandleScope`, and V8 then refuses each handle made directly under it, whoever makes it: C++, generated bindings,
//! `Local::new`.
//!
//! # Isolates that end, and isolates that change threads
//!
//! A guard keeps only the name of its isolate, so it may outlive the isolate, and does nothing then. The record of an isolate ends
//! on all threads before the isolate is disposed of, by whichever thread.
//!
//! An isolate may move to another thread by `Isolate::exit` and `Isolate::enter`. Both are `unsafe`, and their caller rules out
//! that two threads use the isolate at once; dropping a guard uses the isolate. The `SharedIsolate` of v8 152, which safe code can
//! use from several threads, is supported only if each guard is dropped before the `Locker` under which it was made.
//!
//! # No source change
//!
//! On x86-64 Linux, with the feature `interpose` and one line in the program's own build script, the linker puts hooks into the
//! functions by which the v8 crate opens and closes scopes, enters JavaScript, pumps messages and drains microtasks, makes,
//! enters, leaves and disposes of isolates, and into `v8::internal::HandleScope::Extend`. handleguard then sees every crate of the
//! program, as if the crate had used the macros here; a scope with a macro of this crate is counted once.
//!
//! ```toml
//! [dependencies]
//! handleguard-v8 = { version = "0.1", features = ["interpose"] }
//! [build-dependencies]
//! handleguard-build = "0.1"
//! ```
//! ```text
//! // build.rs
//! fn main() { handleguard_build::link_hooks() }
//! // main.rs: a crate that nothing names is not linked
//! use handleguard_v8 as _;
//! ```
//!
//! The program must have one v8 crate: where cargo takes a newer one for this crate than a dependency has,
//! `cargo update -p v8@<newer> --precise <older>` unites them.
//!
//! At its start handleguard proves each hook by a call of the function that has it. The start-up line has `hooks (29 of 29
//! proved)`, or names the hooks that are missing and what handleguard does not see without them; `HANDLEGUARD=require-hooks` then
//! ends the program with status 2. Tried with these linkers (`.ci/interpose`):
//!
//! | linker | debug | release | thin LTO | fat LTO | linker-plugin LTO |
//! |---|---|---|---|---|---|
//! | rust-lld 22.1.2, the default | proved | proved | proved | proved | proved |
//! | GNU ld 2.40 | proved | proved | proved | proved | refused: "file not recognized: file format not recognized" |
//! | mold 1.10.1 | proved | proved | proved | proved | refused: "not claimed by the LTO plugin" |
//!
//! The linker refuses these two with hooks or without: GNU ld and mold need a plugin of the LLVM that rustc uses, 22, and the
//! machine of the trial had none.
//!
//! A report names a scope by function and line where the v8 crate's functions were inlined, as in optimised builds; else by the
//! function that holds the scope, at the function's first line.
//!
//! Where a host marks no turn, handleguard infers turns from its loop: if the host pumps V8's messages
//! (`Platform::pump_message_loop`) twice with the same scope innermost and calls JavaScript in between, a turn has ended, and
//! `outer-growth` judges it. One pump in a turn's own scope, checkpoints for microtasks, and pumps with no scope open end no turn:
//! handleguard infers nothing where it would have to guess. [`turn!`] marks a turn, and handleguard infers none from then on.
//!
//! # What it cannot see
//!
//! Beside the [limits of the core](handleguard#what-it-cannot-see):
//!
//! - Without the hooks, calls into JavaScript by `v8::Function::call` itself, in this program or in a crate that it uses. *Missed
//!   bug* for `missing-scope`; the handles that they leave are still found at the end of the turn, as `outer-growth`.
//! - Without the hooks, the opener of a scope that plain `v8::scope!` opened. Its handles are found, and the report has no opener.
//! - With the hooks, that a plain escapable scope is one: a report calls it a `HandleScope`, because one function constructs both.
//! - Without the hooks, handles that V8 refuses in an isolate whose fatal-error handler is the host's own. *Missed bug* for
//!   `sealed`: V8 calls the host's handler, and handleguard reports nothing.
//! - Without the hooks, a context that is entered and not left, and a scope that allows or forbids JavaScript and is not destroyed.
//!   *Missed bug* for `never-closed`. With the hooks, `MicrotasksScope` and `Locker`, which the v8 crate does not bind.
//! - Off x86-64 Linux, that a thread is one of V8's own. *Missed bug* for `wrong-thread`: V8 sets its current isolate on its worker
//!   threads too, and a scope in the deleter of a buffer that V8 frees there counts as one on a thread that has entered the isolate.
//! - Off x86-64 Linux, native frames below JavaScript: a stack that begins in a native function called from JavaScript ends at
//!   V8's builtins there, for they have no unwind tables. On x86-64 Linux it goes on, with the JavaScript functions in their
//!   place.

mod addon;
mod aftermath;
mod calibrate;
mod call;
mod current;
mod engine;
mod fatal_error;
mod ffi;
mod gc;
mod guards;
#[cfg_attr(
    not(all(feature = "interpose", target_os = "linux", target_arch = "x86_64")),
    path = "no_hooks.rs"
)]
mod interpose;
mod isolate;
mod lifetime;
mod macros;
mod make_callback;
mod persistent;
mod script;
mod seal;
#[cfg(feature = "testing")]
pub mod testing;
mod turn_each_poll;
mod watch;

pub use addon::{addon_callback_guard, addon_guard, addon_scope_guard};
pub use call::{
    GuardedFunction, GuardedIsolate, GuardedMicrotaskQueue, GuardedModule, GuardedScript,
};

pub use guards::{callback_guard, current_turn_guard, gc_guard, scope_guard, turn_guard};
pub use isolate::{LiveV8, V8, handles, level};
pub use make_callback::make_callback;
pub use turn_each_poll::{TurnEachPoll, turn_each_poll};

pub use handleguard;
pub use handleguard::finding::GcPhase;

/// What the macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use handleguard;
    pub use handleguard::finding::ScopeKind;
    pub use v8;

    /// Returns the path of the function in which `here` is declared.
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
