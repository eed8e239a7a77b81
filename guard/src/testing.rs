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
//! let violations = testing::run(|| on_close(engine)).violations;
//! assert_eq!(violations[0].rule(), Rule::MissingScope);
//! assert_eq!(violations[0].finding().callback().unwrap().name, Some("on_close"));
//!
//! // Assert that there is none, and that no handle is left behind.
//! testing::assert_at_most(engine, 0, || {
//!     testing::assert_clean(|| {
//!         let _scope = handleguard::scope(engine, "on_close");
//!         on_close(engine);
//!     })
//! });
//! ```
//!
//! # The closure is a turn
//!
//! The closure of [`run`], [`run_strictly`] and [`assert_clean`] is a turn of each isolate that is used in it, so a scope opened
//! before the closure encloses nothing that runs in it. What the closure leaves in such a scope is an `outer-growth` of that turn,
//! whoever opened the scope; a scope that it leaves open is a `never-closed`. Handles in a scope that the closure has opened and
//! closed are gone, and no violation. Turns that the closure marks itself nest in it, and what they leave is reported once.
//!
//! An isolate that this thread has used before and has entered is judged from the start; any other isolate from its first guard or
//! hook in the closure.
//!
//! A test that judged nothing must not pass. So these functions panic if no guard and no hook ran in the closure, unless they found
//! a violation all the same.
//!
//! # Threads
//!
//! Violations are collected per thread. Tests that run side by side do not see each other's; a violation on a thread that the
//! closure starts takes the configured action there, which is `panic` by default. The closure is no turn on such a thread, so run a
//! test on the thread that uses the isolate.

use crate::describe::handles::Handles;
use crate::describe::violation::Violation;
use crate::engine::interface::LiveIsolate;
use crate::guards::test_run::{self, TestRun};
use crate::place::Place;
use crate::process::global::is_on;
use crate::thread::state::ThreadState;
use crate::unwind::platform;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The result of a closure, and its violations.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the closure returned.
    pub value: T,
    /// The violations of any rule, in the order in which they occurred.
    pub violations: Vec<Violation>,
}

/// Runs `f` as a [turn](self#the-closure-is-a-turn) and collects its violations, whatever the configured actions are. Runs may
/// nest: an inner run collects the violations of its own closure, and the outer run does not see them.
///
/// # Panics
///
/// - If no violation could be recorded: every rule is off (`HANDLEGUARD=off`), or the thread is ending and its thread-locals are
///   gone.
/// - If there is no violation, and nothing was judged: no guard and no hook ran in `f` on this thread; `f` ended a turn or closed a
///   scope that began before it; `f` left an isolate, by a way that handleguard does not see, in which scopes were open; or
///   handleguard's record disagrees with the engine's count of open scopes.
/// - If `f` panics. Its violations are lost then.
#[track_caller]
pub fn run<T>(f: impl FnOnce() -> T) -> Outcome<T> {
    run_at(Place::here("testing::run"), f)
}

#[track_caller]
fn run_at<T>(place: Place, f: impl FnOnce() -> T) -> Outcome<T> {
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
    let run = TestRun::begin(place);
    let value = f();
    let judged = run.end();
    let violations = ThreadState::with(|thread| thread.collected.replace(Some(Vec::new())))
        .flatten()
        .unwrap_or_default();
    drop(restore);
    if let Err(why) = judged
        && violations.is_empty()
    {
        panic!("handleguard::testing: nothing was judged: {why}");
    }
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
    run_at(Place::here("testing::run_strictly"), f)
}

/// Runs `f` as a [turn](self#the-closure-is-a-turn) and returns its result.
///
/// # Panics
///
/// If `f` violates any rule, or leaves handles in a scope that was open before it. The message has one report for each site, with
/// the number of its occurrences. Also under the same conditions as [`run`].
#[track_caller]
pub fn assert_clean<T>(f: impl FnOnce() -> T) -> T {
    let Outcome { value, violations } = run_at(Place::here("testing::assert_clean"), f);
    if !violations.is_empty() {
        let sites = sites(&violations);
        panic!(
            "expected no violation, found {} at {}:\n\n{}",
            violations.len(),
            Sites(sites.len()),
            sites
                .iter()
                .map(Site::to_string)
                .collect::<Vec<_>>()
                .join("\n")
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
    let before = handles(isolate);
    let value = f(isolate);
    let after = handles(isolate);
    match before.zip(after) {
        Some((before, after)) => check_growth(after.saturating_sub(before), most),
        None => panic!("handleguard::testing: the handles of this engine cannot be counted"),
    }
    value
}

/// Runs `f`, which has the isolate to itself, and returns its result. [`assert_at_most`] with no isolate at hand: it judges the
/// isolates that this thread has used before and has entered, and each isolate that a guard or hook sees in `f`.
///
/// # Panics
///
/// If one of these isolates has more than `most` handles more after `f` than before, or if there is none whose handles can be
/// counted.
#[track_caller]
pub fn assert_leaves_at_most<T>(most: u64, f: impl FnOnce() -> T) -> T {
    let run = TestRun::begin_count();
    let value = f();
    match run.end_count() {
        Ok(grown) => check_growth(grown, most),
        Err(why) => panic!("handleguard::testing: nothing was judged: {why}"),
    }
    value
}

/// Lets the next test on this thread judge `isolate`, the current one, from its start, also if no guard and no hook has seen it yet.
#[doc(hidden)]
#[track_caller]
pub fn know(isolate: impl LiveIsolate) {
    if is_on() {
        let place = Place::here(None);
        let engine = isolate.engine();
        let _ = ThreadState::with(|thread| {
            thread.record(crate::Engine::isolate(engine), place, |_| ())
        });
        test_run::know(isolate);
    }
}

#[track_caller]
fn check_growth(grown: u64, most: u64) {
    assert!(
        grown <= most,
        "expected at most {most} more handles, found {grown} more"
    );
}

/// The violations of one cause on one stack.
struct Site<'a> {
    first: &'a Violation,
    times: usize,
    handles: u64,
}

/// Merges violations as the site table does.
fn sites(violations: &[Violation]) -> Vec<Site<'_>> {
    let mut sites: Vec<Site<'_>> = Vec::new();
    let mut known = HashMap::new();
    for violation in violations {
        let mut hasher = DefaultHasher::new();
        violation.finding().cause().hash(&mut hasher);
        for ip in platform::loaded(violation.trace().addresses()) {
            ip.hash(&mut hasher);
        }
        let at = *known.entry(hasher.finish()).or_insert(sites.len());
        match sites.get_mut(at) {
            Some(site) => {
                site.times += 1;
                site.handles += violation.handles();
            }
            None => sites.push(Site {
                first: violation,
                times: 1,
                handles: violation.handles(),
            }),
        }
    }
    sites
}

impl fmt::Display for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        match self.times {
            1 => Ok(()),
            times => writeln!(f, "{times} times, {} left", Handles(self.handles)),
        }
    }
}

/// A number of sites, as a message shows it.
struct Sites(usize);

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 site"),
            number => write!(f, "{number} sites"),
        }
    }
}
