//! A sanitizer for handle scopes: on the first occurrence, and with both places named, it tells an embedder of a
//! JavaScript engine that a callback ran without a `HandleScope` of its own, before that becomes a leak that takes three
//! weeks to find.
//!
//! This crate knows no engine. It has the scope stack, the [rules](Rule), the reports and the configuration;
//! [`handleguard-v8`](https://docs.rs/handleguard-v8) brings V8.
//!
//! # The rule
//!
//! Handles live in the innermost open scope. An event loop that calls back into JavaScript must open one round each
//! callback; where it does not, every handle lands in some outer scope, opened in `main` perhaps, that lives as long as the
//! process. No heap profiler shows it.
//!
//! A counter of open scopes alone does not see it either, since the outer scope counts. So the host marks its *turns*: a
//! pass of the event loop, a request, a task. **A scope opened before the turn does not enclose what runs in it.**
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
//!     let _callback = handleguard::callback(engine, "on_close"); // encloses: silent
//! }
//! assert_eq!(handleguard::depth(), 1);
//! ```
//!
//! The engine's own state is the truth where it can be read, and the scope stack is the blame: who opened what, where.
//!
//! # Three uses
//!
//! **Debug builds.** The checks are compiled in with `debug_assertions`, as `debug_assert!` is, and the default action is
//! [`abort`](Action::Abort). Nothing is to be configured; in a release build the same guards are zero-sized and empty.
//!
//! **Test suites.** The feature `testing` compiles them in, makes [`panic`](Action::Panic) the default, and brings
//! `handleguard::testing`: run a closure and get every violation as data, assert that there is none, assert that at most so
//! many handles are left.
//!
//! ```toml
//! [dev-dependencies]
//! handleguard = { version = "0.1", features = ["testing"] }
//! ```
//!
//! **Production.** The feature `enabled` compiles them into a release build, and the default action is
//! [`log`](Action::Log): one `tracing` event at target `handleguard` for each new site, and one at each tick (10 s) for each
//! site that was seen since. The table of sites is bounded.
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
//! | `tick=<duration>` | sets the time between periodic reports, as in `tick=500ms` or `tick=off`; see [`Config::tick`] |
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
//! A collection interrupts anything, so what it runs is judged by itself: put [`gc`](gc()) round weak callbacks, finalizers and
//! teardown. No callback may begin in them, and in most no scope; the scopes of the code that was interrupted enclose nothing
//! there.
//!
//! Reports on a terminal are coloured, unless `NO_COLOR` is set.
//!
//! # Stacks
//!
//! On x86-64 Linux a stack is walked by unwind tables, and by frame pointers where there is no table, as in JavaScript. Where the
//! program keeps frame pointers (`RUSTFLAGS=-Cforce-frame-pointers=yes`), it is walked by these alone, at a fifth of the cost.
//! Which it is, the start-up line says: the first guard walks its own stack both ways, and goes by frame pointers if both tell the
//! same. The first stack of each site is walked both ways again, and kept as the tables tell it; where the two differ, some of
//! the code that is run keeps none, and all stacks are walked by tables from then on, which is said once.
//!
//! # In a debugger
//!
//! Break on [`handleguard_on_violation`]: it is called at each violation, with the whole stack still there.
//!
//! ```text
//! gdb -ex 'break handleguard_on_violation' -ex run --args ./host
//! ```
//!
//! # Forked children
//!
//! A forked child keeps its parent's configuration and counts. On x86-64 Linux, it never waits for a lock that another thread of
//! its parent held at the fork, and starts a thread for its own periodic report at its first violation. The first such report
//! includes what the parent recorded after the parent's last one.
//!
//! The action [`panic`](Action::Panic) is an exception: the panic hook of std takes a lock, which another thread may have held
//! at the fork while it panicked itself.
//!
//! # Misuse
//!
//! A guard is a local of one block. Kept in a field, a `Box` or across an `.await`, it closes when that is dropped, and no
//! longer in the reverse order of opening:
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
//! A guard given to `mem::forget` never closes, as the scope behind it; `never-closed` tells of both.
//!
//! # What it cannot see
//!
//! - Code that uses no guard is not named. *Missed bug*, unless the engine's own level can be read; then it is seen, and its
//!   opener is not.
//! - A host that marks no turn. *Missed bug*: any outer scope encloses everything. The checker says so once.
//! - A handle used after its scope has closed. *Missed bug*: the balance is perfect. Rust's lifetimes and ASan see that.
//! - Handles made between the end of a reported callback and the next scope, in the same turn, are charged to that callback.
//!   *Wrong place*, where another handler made them: give each handler a turn of its own.
//! - One line that the compiler has put into several places (an unrolled loop) has several stacks there, and so several sites.
//!   *Split count*, in release builds.
//! - An engine that counts neither its scopes nor its handles: judged by guards alone. *Missed bug* for handles that escape
//!   from balanced scopes. The start-up line says what can be seen.

#![deny(unsafe_code)]

pub mod hooks;
#[cfg(feature = "testing")]
pub mod testing;

mod config;
mod describe;
mod detect;
mod engine;
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
#[doc(hidden)]
pub use detect::stack;
pub use engine::capabilities::Capabilities;
pub use engine::counters::{Counters, Cursor, EngineCounts};
pub use engine::entered::Entered;
pub use engine::ids::{EntryId, IsolateId};
pub use engine::interface::{Engine, LiveIsolate};
pub use engine::refused::Refused;
pub use engine::script_frame::ScriptFrame;
pub use engine::wording::{FrameClassifier, Wording};
#[doc(hidden)]
pub use fork::mutex::ForkMutex;
pub use place::{CodeAddress, Location, Place, SourceLine};
pub use process::global::InitError;
pub use react::breakpoint::handleguard_on_violation;
pub use record::high_water::OpenerStats;
pub use record::report::{Cost, Report, Site};
pub use switch::*;
pub use symbolize::frame::{Frame, FrameKind};
pub use symbolize::trace::Trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[doc(hidden)]
pub use thread::tls_word;
pub use unwind::truncated::MAX_FRAMES;
