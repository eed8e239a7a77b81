//! The founding case without a JavaScript engine: a small handle arena with an event loop, and a close callback that opens
//! no scope.
//!
//! ```text
//! cargo run -p handleguard --example arena
//! ```
//!
//! The arena is what V8's handle blocks are: handles are pushed, and a scope pops what came since it opened. `main` opens
//! a scope that lives as long as the process, so what `on_close` makes without one of its own stays for good.

use handleguard::{Action, Capabilities, Config, Engine, IsolateId, LiveIsolate, Wording};
use std::cell::{Cell, RefCell};
use std::process::ExitCode;

/// Handles alive, in the order in which they were made, and how many scopes are open.
#[derive(Default)]
struct Arena {
    handles: RefCell<Vec<u32>>,
    level: Cell<u32>,
}

/// Pops what was made since it opened. Field order: the record closes first, while the arena's scope is still open.
struct Scope<'a> {
    _guard: handleguard::ScopeGuard<&'static Arena>,
    _handles: Handles<'a>,
}

struct Handles<'a> {
    arena: &'a Arena,
    since: usize,
}

impl Arena {
    #[track_caller]
    fn scope(&'static self, name: &'static str) -> Scope<'static> {
        self.level.set(self.level.get() + 1);
        Scope {
            _handles: Handles {
                arena: self,
                since: self.handles.borrow().len(),
            },
            _guard: handleguard::scope(self, name),
        }
    }

    fn make(&self, value: u32) {
        self.handles.borrow_mut().push(value);
    }

    /// The host calls into the engine, which makes a handle for the result.
    #[track_caller]
    fn call(&'static self, name: &'static str) {
        let _callback = handleguard::callback(self, name);
        self.make(0);
    }
}

impl Drop for Handles<'_> {
    fn drop(&mut self) {
        self.arena.handles.borrow_mut().truncate(self.since);
        self.arena.level.set(self.arena.level.get() - 1);
    }
}

impl Engine for &'static Arena {
    const WORDING: &'static Wording = &Wording {
        open_scope: "let _scope = arena.scope(\"...\");",
        mark_turn: "let _turn = handleguard::turn(arena, \"...\");",
        enter_isolate: "handleguard::enter(arena, handleguard::Place::here(\"...\"));",
        classifier: handleguard::FrameClassifier::NONE,
    };

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        IsolateId((&raw const *self).addr())
    }

    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }
}

impl LiveIsolate for &'static Arena {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        Some(self.level.get())
    }

    fn handles(self) -> Option<u64> {
        u64::try_from(self.handles.borrow().len()).ok()
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: Ok("the arena's own count".to_owned()),
            handles: Ok("exact".to_owned()),
            hooks: Ok("every scope of the arena has its guard".to_owned()),
        }
    }
}

fn on_close(arena: &'static Arena, mended: bool) {
    let _scope = mended.then(|| arena.scope("on_close"));
    arena.call("on_close");
}

/// Runs `turns` of the event loop; how many more handles are alive after it.
fn event_loop(arena: &'static Arena, turns: u32, mended: bool) -> u64 {
    let before = arena.handles().unwrap_or(0);
    for _ in 0..turns {
        let _turn = handleguard::turn(arena, "event loop");
        {
            let _scope = arena.scope("on_request");
            arena.call("on_request");
        }
        on_close(arena, mended);
    }
    arena.handles().unwrap_or(0) - before
}

fn main() -> ExitCode {
    if !handleguard::COMPILED_IN {
        println!("the checks are compiled out: add `--features enabled`, or leave out `--release`");
    }
    // The report is printed at the end; nothing is said before.
    if let Err(error) = Config::new().action(Action::Count).try_init() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let arena: &'static Arena = Box::leak(Box::default());
    let _main = arena.scope("main");

    let turns = 1000;
    let leaked = event_loop(arena, turns, false);
    let bug = handleguard::report();
    println!("on_close without a scope: {leaked} handles left after {turns} turns");
    println!("{bug}");

    let leaked = event_loop(arena, turns, true);
    let fixed = handleguard::report().since(&bug);
    println!("on_close with a scope: {leaked} handles left after {turns} turns");
    println!("{fixed}");
    ExitCode::SUCCESS
}
