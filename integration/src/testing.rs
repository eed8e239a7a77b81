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
//! use handleguard_v8::{GuardedFunction, scope, testing};
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
//!     callback.guarded_call(scope, undefined, &[]); // no scope: the bug
//! })
//! .violations;
//! assert_eq!(violations[0].rule(), Rule::MissingScope);
//!
//! // Or none at all, and no handle left behind.
//! testing::assert_at_most(scope, 0, |scope| {
//!     testing::assert_clean(|| {
//!         scope!(let scope, scope);
//!         callback.guarded_call(scope, undefined, &[]);
//!     })
//! });
//! ```
//!
//! # Slots
//!
//! Without the hooks, a test puts a slot into the current isolate where no guard has, as `v8::Isolate::set_slot` does: that is how the
//! checker sees the isolate end. Hold no reference from `v8::Isolate::get_slot_mut` while a test begins.

use crate::isolate::LiveV8;
use crate::lifetime;
pub use handleguard::testing::Outcome;
use handleguard::{LiveIsolate, ScriptFrame, testing};

/// Runs `f` as a [turn](handleguard::testing#the-closure-is-a-turn) of each isolate that is used in it, and collects its violations;
/// see [`handleguard::testing::run`]. The isolate that this thread has entered last is judged from the start, whoever uses it.
///
/// # Panics
///
/// As [`handleguard::testing::run`].
#[track_caller]
pub fn run<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    know_current();
    testing::run(f)
}

/// Runs `f` as [`run`] does, in strict mode; see [`handleguard::testing::run_strictly`].
///
/// # Panics
///
/// As [`run`].
#[track_caller]
pub fn run_strictly<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    know_current();
    testing::run_strictly(f)
}

/// Runs `f` as [`run`] does, and returns its result.
///
/// # Panics
///
/// If `f` violates any rule, or leaves handles in a scope that was open before it; see [`handleguard::testing::assert_clean`]. Also as
/// [`run`].
#[track_caller]
pub fn assert_clean<T>(f: impl FnOnce() -> T) -> T {
    know_current();
    testing::assert_clean(f)
}

/// Runs `f` and returns its result. `isolate` is any scope, or an isolate. Where code in `f` owns the isolate, see
/// [`assert_leaves_at_most`].
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
    testing::assert_at_most_by(isolate, most, handles, f)
}

/// Runs `f`, which has the isolate to itself, and returns its result: [`assert_at_most`] round code that owns the isolate, as a
/// `JsRuntime` does. It judges the isolate that this thread has entered last, and each isolate that a guard or hook sees in `f`.
///
/// ```
/// use handleguard_v8::{scope, testing};
///
/// struct Runtime(v8::OwnedIsolate);
///
/// impl Runtime {
///     fn serve(&mut self) {
///         scope!(let scope, &mut self.0);
///         let _ = v8::Number::new(scope, 0.5);
///     }
/// }
///
/// # let _v8 = handleguard_v8::__doctest::setup();
/// let mut runtime = Runtime(v8::Isolate::new(Default::default()));
/// testing::assert_leaves_at_most(0, || runtime.serve());
/// ```
///
/// # Panics
///
/// As [`handleguard::testing::assert_leaves_at_most`].
#[track_caller]
pub fn assert_leaves_at_most<T>(most: u64, f: impl FnOnce() -> T) -> T {
    know_current();
    testing::assert_leaves_at_most(most, f)
}

/// Lets the test that begins judge the current isolate from its start, also if no guard and no hook has seen it yet. The module's
/// documentation rules out that somebody holds a reference into its slots.
#[track_caller]
fn know_current() {
    if let Some(live) = lifetime::follow_current_for_test() {
        testing::know(live);
    }
}

/// The frames of JavaScript on the stack, innermost first, as a violation keeps them.
#[doc(hidden)]
pub fn script_frames(isolate: &mut v8::Isolate) -> Vec<ScriptFrame> {
    LiveV8::of(isolate).script_frames()
}
