//! For test suites on V8: run code, and have every violation as data; count the handles that it leaves.
//!
//! Turn it on by the feature `testing`:
//!
//! ```toml
//! [dev-dependencies]
//! handleguard-v8 = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! use handleguard_v8::handleguard::Rule;
//! use handleguard_v8::{GuardedFunction, scope, testing, turn};
//!
//! # let _v8 = handleguard_v8::__doctest::setup();
//! # let isolate = &mut v8::Isolate::new(Default::default());
//! # scope!(let scope, isolate);
//! # let context = v8::Context::new(scope, Default::default());
//! # let scope = &mut v8::ContextScope::new(scope, context);
//! # let code = v8::String::new(scope, "(function onClose() {})").unwrap();
//! # let callback = v8::Script::compile(scope, code, None).unwrap().run(scope).unwrap();
//! # let callback: v8::Local<v8::Function> = callback.try_into().unwrap();
//! let undefined = v8::undefined(scope).into();
//!
//! // Every violation as data.
//! let violations = testing::run(|| {
//!     turn!(scope, "event loop");
//!     callback.guarded_call(scope, undefined, &[]); // no scope: the bug
//! })
//! .violations;
//! assert_eq!(violations[0].rule(), Rule::MissingScope);
//!
//! // Or none at all, and no handle left behind.
//! testing::assert_at_most(scope, 0, |scope| {
//!     testing::assert_clean(|| {
//!         turn!(scope, "event loop");
//!         scope!(let scope, scope);
//!         callback.guarded_call(scope, undefined, &[]);
//!     })
//! });
//! ```

use crate::isolate::LiveV8;
pub use handleguard::testing::{Outcome, assert_clean, run, run_strictly};
use handleguard::{LiveIsolate, ScriptFrame};

/// Runs `f` and returns its result. `isolate` is any scope, or an isolate.
///
/// # Panics
///
/// If the isolate has more than `most` handles more after it than before.
#[track_caller]
pub fn assert_at_most<S, T>(isolate: &mut S, most: u64, f: impl FnOnce(&mut S) -> T) -> T
where
    S: AsRef<v8::Isolate>,
{
    let handles = |isolate: &mut S| LiveV8::of((*isolate).as_ref()).handles();
    handleguard::testing::assert_at_most_by(isolate, most, handles, f)
}

/// The frames of JavaScript on the stack, innermost first, as a violation keeps them.
#[doc(hidden)]
pub fn script_frames(isolate: &mut v8::Isolate) -> Vec<ScriptFrame> {
    LiveV8::of(isolate).script_frames()
}
