//! For test suites: run code, and have every violation as data instead of an action.
//!
//! Turn it on by the feature `testing`, which compiles the checks in, in release builds too:
//!
//! ```toml
//! [dev-dependencies]
//! handleguard = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! use handleguard::{Rule, testing};
//! # use handleguard::{Wording, Engine, IsolateId, Capabilities};
//! # #[derive(Clone, Copy)] struct MyEngine;
//! # impl Engine for MyEngine {
//! #     const WORDING: &'static Wording = &Wording { open_scope: "", mark_turn: "", classifier: handleguard::FrameClassifier::NONE };
//! #     fn isolate(self) -> IsolateId { IsolateId(1) }
//! #     fn level(self) -> Option<u32> { None }
//! #     fn handles(self) -> Option<u64> { Some(0) }
//! #     fn capabilities(self) -> Capabilities {
//! #         Capabilities { level: Err("".into()), handles: Ok("".into()), hooks: Err("".into()) }
//! #     }
//! # }
//! # let engine = MyEngine;
//!
//! fn on_close(engine: impl Engine) {
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
//! // Or none at all, and no handle left behind.
//! testing::assert_at_most(engine, 0, || {
//!     testing::assert_clean(|| {
//!         let _turn = handleguard::turn(engine, "event loop");
//!         let _scope = handleguard::scope(engine, "on_close");
//!         on_close(engine);
//!     })
//! });
//! ```
//!
//! What is collected is this thread's: tests that run side by side do not see each other, and a violation on a thread
//! that the closure starts takes the configured action there (`panic`, unless told otherwise).

use crate::describe::violation::Violation;
use crate::engine::interface::Engine;
use crate::thread::state::ThreadState;
/// What a closure returned, and what it violated.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What it returned.
    pub value: T,
    /// Every violation of any rule, in order.
    pub violations: Vec<Violation>,
}

/// Runs `f` and collects its violations, whatever the configured actions are. Runs nest; the inner one collects its
/// own.
///
/// # Panics
///
/// If the checker cannot see: every rule is off (`HANDLEGUARD=off`), or the thread's locals are gone. Also if `f`
/// panics; its violations are lost then.
#[track_caller]
pub fn run<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    /// Puts back what was collected around the closure, also when it panics.
    struct Restore(Option<Vec<Violation>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            let _ = ThreadState::with(|thread| thread.collected.replace(before));
        }
    }

    assert!(
        crate::is_on(),
        "handleguard::testing: every rule is off (HANDLEGUARD=off?): nothing would be seen"
    );
    let before = ThreadState::with(|thread| thread.collected.replace(Some(Vec::new())));
    let Some(before) = before else {
        panic!("handleguard::testing: this thread is ending: nothing would be seen");
    };
    let restore = Restore(before);
    let value = f();
    let violations = ThreadState::with(|thread| thread.collected.replace(Some(Vec::new())))
        .flatten()
        .unwrap_or_default();
    drop(restore);
    Outcome { value, violations }
}

/// As [`run`], with each callback judged as if it had come straight from the event loop: a path that is clean only because a
/// JavaScript caller's scope hides it is found by an ordinary test. See [`Config::strict`](crate::Config::strict).
///
/// # Panics
///
/// As [`run`].
#[track_caller]
pub fn run_strictly<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    /// Puts back what was asked for around the closure, also when it panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = ThreadState::with(|thread| thread.set_strict(self.0));
        }
    }

    let _restore = Restore(ThreadState::with(|thread| thread.set_strict(true)).unwrap_or(false));
    run(f)
}

/// Runs `f` and gives back what it returns.
///
/// # Panics
///
/// If it violates any rule, with all messages; and as [`run`].
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

/// Runs `f` and gives back what it returns.
///
/// # Panics
///
/// If `engine` has more than `most` handles more after it than before; if it cannot count its handles.
#[track_caller]
pub fn assert_at_most<E: Engine, T>(engine: E, most: u64, f: impl FnOnce() -> T) -> T {
    let count = || {
        engine.handles().unwrap_or_else(|| {
            panic!("handleguard::testing: the handles of this engine cannot be counted")
        })
    };
    let before = count();
    let value = f();
    let grown = count().saturating_sub(before);
    assert!(
        grown <= most,
        "expected at most {most} more handles, found {grown} more"
    );
    value
}
