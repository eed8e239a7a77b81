//! A sanitizer for handle scopes. It reports a callback that runs without a `HandleScope` of its own, at the first
//! occurrence and with both places named, before that becomes a leak that takes three weeks to find.
//!
//! This crate knows no JavaScript engine. It has the scope stack, the [rules](Rule), the reports and the configuration.
//! [`handleguard-v8`](https://docs.rs/handleguard-v8) adds V8. The module [`design`] explains how it works.
//!
//! # The rule
//!
//! Handles live in the innermost open scope. An event loop that calls back into JavaScript must open a scope for each
//! callback. If it does not, every handle lands in some outer scope, perhaps one that `main` opened, and stays there as long
//! as the process. No heap profiler shows this leak.
//!
//! A count of open scopes does not show it either, because the outer scope is open. So the host marks its *turns*: a pass of
//! the event loop, a request, a task. **A scope opened before the turn does not enclose what runs in it.**
//!
//! ```
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
//! #     fn handles(self) -> Option<u64> { None }
//! #     fn capabilities(self) -> Capabilities {
//! #         Capabilities { level: Err("".into()), handles: Err("".into()), hooks: Err("".into()) }
//! #     }
//! # }
//! # let engine = MyEngine;
//! # if !handleguard::COMPILED_IN { return }
//! let _main = handleguard::scope(engine, "main");
//! assert_eq!(handleguard::depth(), 1);
//! {
//!     let _turn = handleguard::turn(engine, "event loop");
//!     assert_eq!(handleguard::depth(), 0); // `main`'s scope is behind the barrier
//!
//!     let _scope = handleguard::scope(engine, "on_close");
//!     assert_eq!(handleguard::depth(), 1);
//!     let _callback = handleguard::callback(engine, "on_close"); // right: `on_close` has a scope of its own
//! }
//! assert_eq!(handleguard::depth(), 1);
//! ```
//!
//! Where the engine's own counts can be read, they decide; the scope stack says who opened what, and where.
//!
//! # Three uses
//!
//! **Debug builds.** The checks are compiled in with `debug_assertions`, as `debug_assert!` is, and the default action is
//! [`abort`](Action::Abort). They need no configuration. In a release build the same guards are zero-sized and empty.
//!
//! **Test suites.** The feature `testing` compiles the checks in, makes [`panic`](Action::Panic) the default action, and adds
//! `handleguard::testing`: it runs a closure as a turn and returns every violation as data, asserts that there is none, or asserts
//! that at most a given number of handles is left. A test that judged nothing fails.
//!
//! ```toml
//! [dev-dependencies]
//! handleguard = { version = "0.1", features = ["testing"] }
//! ```
//!
//! **Production.** The feature `enabled` compiles the checks into a release build, and the default action is
//! [`log`](Action::Log): one `tracing` event at target `handleguard` for each new site, and one at each tick (10 s) for each
//! site with violations since the last tick. The table of sites has a fixed size. When it is full, an event says so, and the
//! violations of further causes are counted by callback and opener, or by rule.
//!
//! The thread that violates a rule only records addresses. A thread of the checker, `handleguard-tick`, names them and logs; it
//! starts with the first violation whose action is `log`, and blocks all signals. It logs to the subscriber that the violating
//! thread had, in that thread's span, and to stderr if there was none. It ends when the process exits, after it has logged what
//! is left; [`flush`] waits for it at any other time. If the engine may end the process right after a violation, the violating
//! thread waits for its report, 5 s at most.
//!
//! ```toml
//! [dependencies]
//! handleguard = { version = "0.1", features = ["enabled"] }
//! ```
//! ```no_run
//! use handleguard::{Action, Config};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! tracing_subscriber::fmt().init();
//! Config::new()
//!     .action(Action::Log)
//!     .tick(Duration::from_secs(60))
//!     .try_init()?; // the variable HANDLEGUARD wins over this
//! # Ok(())
//! # }
//! ```
//!
//! # Configuration
//!
//! [`Config`] configures the checker in code. The environment variable `HANDLEGUARD` overrides it, with comma-separated
//! directives in the manner of `RUST_LOG`:
//!
//! | directive | meaning |
//! |---|---|
//! | `off`, `count`, `log`, `panic`, `abort` | sets the action of every rule but advice; see [`Action`] |
//! | `<rule>=<action>` | sets the action of one rule, as in `missing-scope=abort`; see [`Rule`] |
//! | `addon:<file>=<action>` | sets the action of every rule in calls of one add-on, as in `addon:libtimers.so=log`; see [`addon`](addon()) |
//! | `scope-budget=<number>` | sets how many handles a scope may hold, as in `scope-budget=10000`; see [`Config::scope_budget`] |
//! | `sites=<number>` | sets how many distinct causes are kept, at about 2 KiB each, as in `sites=4096`; see [`Config::sites`] |
//! | `tick=<duration>` | sets the time between periodic reports, 100 ms or more, as in `tick=500ms` or `tick=off`; see [`Config::tick`] |
//! | `strict` | checks each callback as if the event loop had called it, which finds callbacks that only a JavaScript caller's scope keeps clean; see [`Config::strict`] |
//! | `require-hooks` | ends the process with status 2 at its start unless every hook took effect; see [`Config::require_hooks`] |
//! | `full-stack` | shows every frame of a stack, the checker's own and the engine's too; see [`Config::full_stack`] |
//! | `help` | prints every directive with its current value |
//!
//! `sealed=abort` does more than set an action: the engine then refuses each handle that is created directly under a turn; see
//! [`Rule::Sealed`].
//!
//! # Garbage collection
//!
//! A collection interrupts anything, so the code that it runs is judged by itself. Put [`gc`](gc()) around weak callbacks,
//! finalizers and teardown. No callback may begin in them, and in most of them no scope; the scopes of the interrupted code do
//! not enclose what runs there.
//!
//! # Stacks
//!
//! On x86-64 Linux the checker unwinds a stack by unwind tables, and by frame pointers where there is no table, as in
//! JavaScript. If the program keeps frame pointers (`RUSTFLAGS=-Cforce-frame-pointers=yes`), it uses these alone, at a fifth of
//! the cost. The start-up line says which method is in use: the first guard unwinds its own stack with both, and uses frame
//! pointers if the results agree. The first stack of each site is unwound with both methods again and kept as the tables give
//! it. If the two differ, some code runs that keeps no frame pointers; the checker then changes to unwind tables for good and
//! prints a notice.
//!
//! From a signal handler, the stack goes on in the function that was interrupted, also if the handler runs on a stack of its own
//! (`sigaltstack`).
//!
//! Reports on a terminal are coloured, unless `NO_COLOR` is set.
//!
//! # In a debugger
//!
//! Break on [`handleguard_on_violation`]. The checker calls it at each violation, with the whole stack still there.
//!
//! ```text
//! gdb -ex 'break handleguard_on_violation' -ex run --args ./host
//! ```
//!
//! # Forked children
//!
//! A forked child keeps its parent's configuration and counts. On x86-64 Linux, it never waits for a lock that another thread of
//! its parent held at the fork, and starts a thread of its own at its first violation. The first periodic report of that thread
//! includes what the parent recorded after the parent's last one.
//!
//! The action [`panic`](Action::Panic) is an exception: the panic hook of std takes a lock, which another thread may have held
//! at the fork while it panicked itself.
//!
//! # Misuse
//!
//! Keep a guard in a local variable of one block. In a field, in a `Box` or across an `.await`, it closes when that value is
//! dropped, which need not be the reverse order of opening:
//!
//! ```
//! # use handleguard::LiveIsolate;
//! # async fn read() -> u32 { 1 }
//! # fn use_it(_: u32) {}
//! async fn wrong(isolate: impl LiveIsolate) {
//!     let _scope = handleguard::scope(isolate, None);
//!     read().await; // WARNING: other tasks run here, inside this task's scope
//! }
//!
//! async fn right(isolate: impl LiveIsolate) {
//!     let data = read().await;
//!     let _scope = handleguard::scope(isolate, None);
//!     use_it(data);
//! }
//! ```
//!
//! A guard that is passed to `mem::forget` never closes, and neither does the scope behind it; `never-closed` reports both.
//!
//! A guard that outlives its isolate does nothing when it is dropped.
//!
//! # What it cannot see
//!
//! - Code without guards or hooks. *Missed bug*, unless the engine's own level can be read: then the scope is seen, and its
//!   opener is unknown.
//! - A host that marks no turn. *Missed bug*, unless hooks see a scope grow without end: any outer scope encloses everything. The
//!   checker prints a hint, at the hundredth callback and at the end of an isolate.
//! - Persistent handles that pile up in bursts, or by few: `global-growth` judges steady growth. *Missed bug*: a heap snapshot
//!   shows each.
//! - A handle used after its scope has closed. *Missed bug*: opens and closes balance. Rust's lifetimes and ASan find it.
//! - Handles made between the end of a reported callback and the next scope, in the same turn, are added to that callback's
//!   report. *Wrong place*, if another handler made them: give each handler a turn of its own.
//! - A line that the compiler has put into several places, as it does when it unrolls a loop, has several stacks and so several
//!   sites. *Split count*, in release builds.
//! - An engine that counts neither its scopes nor its handles: guards alone decide. *Missed bug* for handles that escape from
//!   balanced scopes. The start-up line says what can be read.
//! - An isolate that one thread uses while another disposes of it. That is a data race of the host; the checker does not
//!   prevent it.

#![deny(unsafe_code)]

pub mod design;
pub mod hooks;
#[cfg(feature = "testing")]
pub mod testing;

mod config;
mod describe;
mod detect;
mod engine;
mod foreign_text;
mod fork;
mod guards;
mod pipeline;
mod place;
mod process;
mod react;
mod record;
mod switch;
mod symbolize;
mod sync;
#[cfg(test)]
mod tests;
mod thread;
mod unwind;

pub use config::action::Action;
pub use config::addon::AddonFunction;
pub use config::directives::error::ConfigError;
pub use config::rule::Rule;
pub use config::settings::{Config, VARIABLE};
pub use describe::finding;
pub use describe::violation::Violation;
pub use engine::aftermath::Aftermath;
pub use engine::capabilities::Capabilities;
pub use engine::counters::{Counters, Cursor, EngineCounts};
pub use engine::entered::Entered;
pub use engine::ids::{EntryId, IsolateId};
pub use engine::interface::{Engine, LiveIsolate};
pub use engine::refused::Refused;
pub use engine::script_frame::ScriptFrame;
pub use engine::try_catches::TryCatches;
pub use engine::wording::{FrameClassifier, Wording};
pub use foreign_text::{ForeignText, MAX_FOREIGN_TEXT, foreign_text};
#[doc(hidden)]
pub use fork::mutex::ForkMutex;
pub use place::{CodeAddress, CodeFrames, Location, Place, SourceLine};
#[doc(hidden)]
pub use process::announce::warn;
pub use process::global::InitError;
pub use react::breakpoint::handleguard_on_violation;
pub use record::high_water::OpenerStats;
pub use record::profile::{FilledBy, FilledScope};
pub use record::report::{Cost, Report, Site};
pub use switch::*;
pub use symbolize::frame::{Frame, FrameKind};
pub use symbolize::trace::Trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[doc(hidden)]
pub use thread::linux_x86_64::tls_word;
#[doc(hidden)]
pub use thread::number::thread_number;
pub use unwind::truncated::MAX_FRAMES;
