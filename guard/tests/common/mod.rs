//! What the integration tests share: an engine whose counts are set by hand, and the normalised form of a message.
//!
//! The unit tests have the same engine once more, in `src/engine/fake.rs`: it implements a trait of the crate under test, which
//! is another crate there than the library that these tests link.
#![allow(dead_code, reason = "each test file uses a part")]

use handleguard::{
    Capabilities, Engine, EntryId, FrameClassifier, IsolateId, LiveIsolate, Rule, Wording,
};
use handleguard_test_support::normal;
use std::cell::Cell;

/// One instance; leaked, so that it can be as small as a reference.
#[derive(Clone, Copy, Debug)]
pub struct Fake(&'static State);

#[derive(Debug)]
pub struct State {
    isolate: IsolateId,
    pub level: Cell<Option<u32>>,
    pub handles: Cell<Option<u64>>,
    /// How many turns the checker has watched.
    pub watched: Cell<u32>,
}

impl Fake {
    pub fn new(isolate: usize) -> Self {
        Self(Box::leak(Box::new(State {
            isolate: IsolateId(isolate),
            level: Cell::new(None),
            handles: Cell::new(None),
            watched: Cell::new(0),
        })))
    }
}

impl std::ops::Deref for Fake {
    type Target = State;

    fn deref(&self) -> &State {
        self.0
    }
}

impl Engine for Fake {
    const WORDING: &'static Wording = &Wording {
        open_scope: "let _scope = arena.scope();",
        mark_turn: "let _turn = arena.turn();",
        enter_isolate: "arena.enter();",
        classifier: FrameClassifier::NONE,
    };

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        self.0.isolate
    }

    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }
}

impl LiveIsolate for Fake {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        self.0.level.get()
    }

    fn handles(self) -> Option<u64> {
        self.0.handles.get()
    }

    fn watch(self, _: EntryId) -> bool {
        self.0.watched.update(|watched| watched + 1);
        true
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: Ok("set by the test".to_owned()),
            handles: Ok("set by the test".to_owned()),
            hooks: Err("not in a test".to_owned()),
        }
    }
}

/// The start-up line of a [`Fake`], with the action of each rule.
pub fn on(action: impl Fn(Rule) -> &'static str) -> String {
    let rules: Vec<String> = Rule::ALL
        .iter()
        .map(|&rule| match (rule, action(rule)) {
            (Rule::RedundantScope, _) => format!("{rule}=off"),
            (_, "panic" | "abort") if rule.is_advice() => format!("{rule}=log"),
            (_, action) => format!("{rule}={action}"),
        })
        .collect();
    format!(
        "on: {}; sees stacks (...), level (set by the test), handles (set by the test); does not see hooks (not in a test)",
        rules.join(" ")
    )
}

/// `text` without what differs from machine to machine and from edit to edit: `file` (as `file!()` gives it) loses its path,
/// lines and columns become `LL:CC`, seconds `N.N s`, the thread that runs the test `<thread>`, and of each backtrace only the
/// function of the first frame is kept.
pub fn normalised(text: &str, file: &str) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap();
    let mut out = String::new();
    let text = normal::lines(&text.replace(file, base));
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut line = line.to_owned();
        // A child runs its only test on its main thread.
        for name in [std::thread::current().name(), Some("main")]
            .into_iter()
            .flatten()
        {
            if line == format!("        thread: {name}") {
                line = "        thread: <thread>".to_owned();
            }
        }
        out.push_str(&line);
        out.push('\n');
        if line.trim_start().starts_with("backtrace (") {
            let mut first = true;
            while let Some(frame) = lines.next_if(|line| is_frame(line)) {
                if first {
                    out.push_str(frame);
                    out.push('\n');
                }
                first = false;
            }
        }
    }
    how(&normal::seconds(&out))
}

/// How stacks are captured depends on the platform: `stacks (...)`.
pub fn how(text: &str) -> String {
    normal::between(text, "; sees stacks (", ")")
}

/// A line of a backtrace: `        0: function`, or `             at file:line`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.split(':').next().unwrap_or_default();
    line.starts_with("     ")
        && (text.starts_with("at ") || (!number.is_empty() && number.parse::<u32>().is_ok()))
}
