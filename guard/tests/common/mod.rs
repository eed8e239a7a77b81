//! What the integration tests share: an engine whose counts are set by hand, and the normalised form of a message.
#![allow(dead_code, reason = "each test file uses a part")]

use handleguard::{Capabilities, Engine, FrameClassifier, IsolateId, Rule, Wording};
use std::cell::Cell;

/// One instance; leaked, so that it can be as small as a reference.
#[derive(Clone, Copy, Debug)]
pub struct Fake(&'static State);

#[derive(Debug)]
pub struct State {
    isolate: IsolateId,
    pub level: Cell<Option<u32>>,
    pub handles: Cell<Option<u64>>,
}

impl Fake {
    pub fn new(isolate: usize) -> Self {
        Self(Box::leak(Box::new(State {
            isolate: IsolateId(isolate),
            level: Cell::new(None),
            handles: Cell::new(None),
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
        classifier: FrameClassifier::NONE,
    };

    fn isolate(self) -> IsolateId {
        self.0.isolate
    }

    fn level(self) -> Option<u32> {
        self.0.level.get()
    }

    fn handles(self) -> Option<u64> {
        self.0.handles.get()
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
        .map(|&rule| match rule.is_advice() {
            true => format!("{rule}=off"),
            false => format!("{rule}={}", action(rule)),
        })
        .collect();
    format!(
        "on: {}; sees stacks (...), level (set by the test), handles (set by the test); does not see hooks (not in a test)",
        rules.join(" ")
    )
}

/// `text` without what differs from machine to machine and from edit to edit: lines and columns of `file` (as
/// `file!()` gives it) become `LL:CC`, seconds `N.N s`, the thread that runs the test `<thread>`, and of each backtrace
/// only the function of the first frame is kept.
pub fn normalised(text: &str, file: &str) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut line = without_lines(line, file, base);
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
        if line.trim_start().starts_with("backtrace: ") {
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
    how(&seconds(&out))
}

/// How stacks are seen is the platform's: `stacks (...)`.
pub fn how(text: &str) -> String {
    match text.split_once("; sees stacks (") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once(')').unwrap();
            format!("{before}; sees stacks (...){after}")
        }
        None => text.to_owned(),
    }
}

/// A line of a backtrace: `        0: function`, or `             at file:line`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.split(':').next().unwrap_or_default();
    line.starts_with("     ")
        && (text.starts_with("at ") || (!number.is_empty() && number.parse::<u32>().is_ok()))
}

fn without_lines(line: &str, file: &str, base: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(file) {
        out.push_str(&rest[..at]);
        out.push_str(base);
        rest = &rest[at + file.len()..];
        for mark in [":LL", ":CC"] {
            let digits = rest.strip_prefix(':').map_or(0, |after| {
                after.bytes().take_while(u8::is_ascii_digit).count()
            });
            if digits > 0 {
                out.push_str(mark);
                rest = &rest[1 + digits..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `0.3 s` and `12.0 ms` become `N.N s` and `N.N ms`.
fn seconds(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_unit = words.get(at + 1).is_some_and(|next| {
            ["s", "ms"].contains(next) || next.starts_with("s\n") || next.starts_with("s,")
        });
        if is_unit && word.parse::<f64>().is_ok() {
            out.push("N.N".to_owned());
        } else {
            out.push((*word).to_owned());
        }
    }
    out.join(" ")
}
