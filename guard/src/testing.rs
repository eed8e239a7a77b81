//! Checks for test suites: run code, and get its violations as data instead of an action.
//!
//! The feature `testing` provides this module, and compiles the checks in, in release builds too:
//!
//! ```toml
//! [dev-dependencies]
//! handleguard = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! use handleguard::{Rule, testing};
//! # use handleguard::{Wording, Engine, IsolateId, LiveIsolate, Capabilities};
//! # #[derive(Clone, Copy)] struct MyEngine;
//! # impl Engine for MyEngine {
//! #     const WORDING: &'static Wording = &Wording { open_scope: "", mark_turn: "", enter_isolate: "", classifier: handleguard::FrameClassifier::NONE };
//! #     type Live<'a> = Self;
//! #     fn isolate(self) -> IsolateId { IsolateId(1) }
//! #     unsafe fn live<'a>(self) -> Self::Live<'a> { self }
//! # }
//! # impl LiveIsolate for MyEngine {
//! #     type Engine = Self;
//! #     fn engine(self) -> Self { self }
//! #     fn level(self) -> Option<u32> { None }
//! #     fn handles(self) -> Option<u64> { Some(0) }
//! #     fn capabilities(self) -> Capabilities {
//! #         Capabilities { level: Err("".into()), handles: Ok("".into()), hooks: Err("".into()) }
//! #     }
//! # }
//! # let engine = MyEngine;
//!
//! fn on_close(engine: impl LiveIsolate) {
//!     let _callback = handleguard::callback(engine, "on_close"); // no scope: the bug
//! }
//!
//! // Every violation as data.
//! let violations = testing::run(|| {
//!     let _turn = handleguard::turn(engine, "event loop");
//!     on_close(engine);
//! })
//! .violations;
//! assert_eq!(violations[0].rule(), Rule::MissingScope);
//! assert_eq!(violations[0].finding().callback().unwrap().name, Some("on_close"));
//!
//! // Assert that there is none, and that no handle is left behind.
//! testing::assert_at_most(engine, 0, || {
//!     testing::assert_clean(|| {
//!         let _turn = handleguard::turn(engine, "event loop");
//!         let _scope = handleguard::scope(engine, "on_close");
//!         on_close(engine);
//!     })
//! });
//! ```
//!
//! Violations are collected per thread. Tests that run side by side do not see each other's; a violation on a thread that the
//! closure starts takes the configured action there, which is `panic` by default.

use crate::describe::violation::Violation;
use crate::engine::interface::LiveIsolate;
use crate::process::global::is_on;
use crate::thread::state::ThreadState;

/// The result of a closure, and its violations.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the closure returned.
    pub value: T,
    /// The violations of any rule, in the order in which they occurred.
    pub violations: Vec<Violation>,
}

/// Runs `f` and collects its violations, whatever the configured actions are. Runs may nest: an inner run collects the
/// violations of its own closure, and the outer run does not see them.
///
/// # Panics
///
/// If no violation could be recorded: every rule is off (`HANDLEGUARD=off`), or the thread is ending and its thread-locals are
/// gone. Also if `f` panics; its violations are lost then.
#[track_caller]
pub fn run<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    /// Restores the collection of the outer run, if any, also when the closure panics.
    struct Restore(Option<Vec<Violation>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            let _ = ThreadState::with(|thread| thread.collected.replace(before));
        }
    }

    assert!(
        is_on(),
        "handleguard::testing: every rule is off (HANDLEGUARD=off?), so no violation would be recorded"
    );
    let before = ThreadState::with(|thread| thread.collected.replace(Some(Vec::new())));
    let Some(before) = before else {
        panic!("handleguard::testing: this thread is ending, so no violation would be recorded");
    };
    let restore = Restore(before);
    let value = f();
    let violations = ThreadState::with(|thread| thread.collected.replace(Some(Vec::new())))
        .flatten()
        .unwrap_or_default();
    drop(restore);
    Outcome { value, violations }
}

/// Runs `f` as [`run`] does, and checks each callback as if the event loop had called it. An ordinary test then finds a callback
/// that is clean only because a JavaScript caller's scope encloses it. See [`Config::strict`](crate::Config::strict).
///
/// # Panics
///
/// Under the same conditions as [`run`].
#[track_caller]
pub fn run_strictly<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    /// Restores the setting of the outer run, also when the closure panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = ThreadState::with(|thread| thread.set_strict(self.0));
        }
    }

    let _restore = Restore(ThreadState::with(|thread| thread.set_strict(true)).unwrap_or(false));
    run(f)
}

/// Runs `f` and returns its result.
///
/// # Panics
///
/// If `f` violates any rule, with the messages of all violations. Also under the same conditions as [`run`].
#[track_caller]
pub fn assert_clean<T>(f: impl FnOnce() -> T) -> T {
    let Outcome { value, violations } = run(f);
    if !violations.is_empty() {
        let messages: Vec<String> = violations.iter().map(ToString::to_string).collect();
        panic!(
            "expected no violation, found {}:\n\n{}",
            violations.len(),
            messages.join("\n")
        );
    }
    value
}

/// Runs `f` and returns its result.
///
/// # Panics
///
/// If `isolate` has more than `most` handles more after `f` than before, or cannot count its handles.
#[track_caller]
pub fn assert_at_most<T>(isolate: impl LiveIsolate, most: u64, f: impl FnOnce() -> T) -> T {
    assert_at_most_by(&mut (), most, |()| isolate.handles(), |()| f())
}

/// As [`assert_at_most`], for an engine layer whose `f` borrows the isolate: `handles` counts before and after it.
#[doc(hidden)]
#[track_caller]
pub fn assert_at_most_by<S, T>(
    isolate: &mut S,
    most: u64,
    handles: impl Fn(&mut S) -> Option<u64>,
    f: impl FnOnce(&mut S) -> T,
) -> T {
    let count = |isolate: &mut S| {
        handles(isolate).unwrap_or_else(|| {
            panic!("handleguard::testing: the handles of this engine cannot be counted")
        })
    };
    let before = count(isolate);
    let value = f(isolate);
    let grown = count(isolate).saturating_sub(before);
    assert!(
        grown <= most,
        "expected at most {most} more handles, found {grown} more"
    );
    value
}
