//! The words of `never-closed`.

use crate::config::rule::Rule;
use crate::describe::ended::Ended;
use crate::describe::handles::Handles;
use crate::describe::lines::Lines;
use crate::describe::opener::Opener;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::{Numbered, ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`never-closed`: a turn or an isolate ended, or a thread left an isolate, with a scope still open.

The scope was opened inside what ended, so nothing is left to close it. The same rule reports a scope whose memory is reused for
another scope before it is closed.

# Why it matters

A scope that stays open swallows the handles of every later callback: after one error path that returns early, the whole program
leaks. When a thread leaves an isolate with a scope open, the scope closes too late, in an isolate that is not entered.

# Wrong

```
fn read(isolate: impl handleguard::LiveIsolate) -> Result<(), String> {
    let scope = std::mem::ManuallyDrop::new(handleguard::scope(isolate, "read"));
    let data = std::fs::read("config").map_err(|error| error.to_string())?; // leaves the scope open
    drop(std::mem::ManuallyDrop::into_inner(scope));
    drop(data);
    Ok(())
}
```

# Right

```
fn read(isolate: impl handleguard::LiveIsolate) -> Result<(), String> {
    let _scope = handleguard::scope(isolate, "read");
    let data = std::fs::read("config").map_err(|error| error.to_string())?; // the scope closes here too
    drop(data);
    Ok(())
}
```

# How to silence it

Set `never-closed=off` or `never-closed=log` in `HANDLEGUARD`. A scope that is meant to outlive a turn must be opened before the
turn begins.

A program that calls `exit` in the middle of a turn leaves its scopes open, and an isolate in a local of that thread ends with them.
On Linux, handleguard recognises the call on the stack and reports nothing.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct NeverClosed {
        /// The scope that is still open; [`Opener::Unrecorded`] where only the engine knows of it.
        pub scope: Opener,
        /// What ended.
        pub ended: Ended,
        /// The turn, where a turn ended.
        pub turn: Option<TurnRef>,
        /// Handles that the turn left, in this scope and the scopes left open inside it. They stay until the scope around the turn
        /// closes. 0 where they are unknown, counted at a scope around this one, or end with the isolate.
        pub left: u64,
    }
}

impl RuleText for NeverClosed {
    fn rule(&self) -> Rule {
        Rule::NeverClosed
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ended, self.turn) {
            (Ended::Turn, Some(turn)) => write!(f, "{turn} ended")?,
            (Ended::Exit(place), _) => write!(f, "exit {place} leaves the isolate")?,
            _ => f.write_str("isolate ended")?,
        }
        write!(f, " with {} still open", self.scope)
    }

    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result {
        self.scope.line(lines, "still open", evidence.alive)?;
        if self.left > 0 {
            lines.line("holds", Handles(self.left))?;
        }
        match self.ended {
            Ended::Exit(place) => lines.line("exit", place),
            _ => Ok(()),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(
            "let the scope end with its block: do not `mem::forget` it, and close it on every path out",
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ended, self.turn) {
            (Ended::Exit(_), _) => f.write_str("at the exit"),
            (_, Some(turn)) => write!(f, "at the end of the {}", turn.kind()),
            (_, None) => f.write_str("at the end of the isolate"),
        }
    }

    fn opener(&self) -> Option<ScopeRef> {
        self.scope.scope()
    }

    fn turn(&self) -> Option<TurnRef> {
        self.turn
    }

    fn handles(&self) -> u64 {
        self.left
    }

    fn place(&self) -> Option<Place> {
        match self.ended {
            Ended::Exit(place) => Some(place),
            _ => self
                .opener()
                .map(|scope| scope.place)
                .or(self.turn.map(|turn| turn.place)),
        }
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        self.scope.map_places(change);
        if let Ended::Exit(place) = &mut self.ended {
            change(place);
        }
        if let Some(turn) = &mut self.turn {
            change(&mut turn.place);
        }
    }
}

/// `never-closed`: a scope was constructed in the memory of another that is still open, and that can never close now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct StorageReused {
    /// The scope whose memory is reused.
    pub first: ScopeRef,
    /// The kind of the scope that is constructed there.
    pub kind: ScopeKind,
    /// Where it is constructed.
    pub again: Place,
}

impl RuleText for StorageReused {
    fn rule(&self) -> Rule {
        Rule::NeverClosed
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} reuses the memory of {}, which was never closed",
            self.kind, self.again, self.first
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line("constructed", format_args!("{} {}", self.kind, self.again))?;
        lines.line("still open", Numbered(&self.first))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(
            "close a scope before its memory is reused, or give each scope memory of its own",
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the construction of the second scope")
    }

    fn opener(&self) -> Option<ScopeRef> {
        Some(self.first)
    }

    fn place(&self) -> Option<Place> {
        Some(self.again)
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.first.place);
        change(&mut self.again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{main_scope, message, scope_ref, uv_run};

    #[test]
    fn a_scope_left_open_at_an_exit() {
        let finding = NeverClosed {
            scope: Opener::Known(main_scope(Place::here("main"))),
            ended: Ended::Exit(Place::here("leave")),
            turn: None,
            left: 0,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: never-closed: exit `leave` at FILE leaves the isolate with the HandleScope `main` at FILE still open
    still open: HandleScope #1 `main` at FILE, opened 3 turns ago
          exit: `leave` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the exit):
"
        );
    }

    #[test]
    fn a_scope_left_open_by_a_turn() {
        let finding = NeverClosed {
            scope: Opener::Known(scope_ref(2, Place::here("read"))),
            ended: Ended::Turn,
            turn: Some(uv_run(Place::here("uv_run"), None)),
            left: 5,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: never-closed: turn `uv_run` at FILE ended with the HandleScope `read` at FILE still open
    still open: HandleScope #2 `read` at FILE
         holds: 5 handles
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the turn):
"
        );
    }

    #[test]
    fn memory_that_is_reused() {
        let finding = StorageReused {
            first: scope_ref(2, Place::here("page")),
            kind: ScopeKind::HandleScope,
            again: Place::here("frame"),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: never-closed: HandleScope `frame` at FILE reuses the memory of HandleScope `page` at FILE, which was never closed
   constructed: HandleScope `frame` at FILE
    still open: HandleScope #2 `page` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: close a scope before its memory is reused, or give each scope memory of its own
     backtrace (at the construction of the second scope):
"
        );
    }
}
