//! The words of `sealed`.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::opener::Opener;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::ScopeRef;
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`sealed`: a handle was created with no handle scope open, or directly under a turn that is sealed.

With no scope open at all, the engine ends the process; this report comes first and names the code. Directly under a turn, the
engine allows the handle, unless the turn is sealed: with `sealed=abort` or another action for this rule, each turn forbids
handles until a scope is opened in it.

# Why it matters

The seal finds a leak at the creation of the first handle, on every path into the engine, even one that no guard marks: a handle
that is created directly under a turn stays in the scope around the turn, as `missing-scope` explains.

# Wrong

```
fn event_loop(isolate: impl handleguard::LiveIsolate, create_handle: impl Fn()) {
    let _turn = handleguard::turn(isolate, "event loop");
    create_handle(); // no scope since the turn began
}
```

# Right

```
fn event_loop(isolate: impl handleguard::LiveIsolate, create_handle: impl Fn()) {
    let _turn = handleguard::turn(isolate, "event loop");
    let _scope = handleguard::scope(isolate, "event loop");
    create_handle();
}
```

# How to silence it

Turns are sealed only where the rule has an action of its own, so remove `sealed=<action>` from `HANDLEGUARD`. `sealed=off` also
omits the report for a handle with no scope at all; the engine still ends the process.

With `sealed=log` and `sealed=count` a program continues where that is possible: the seal is lifted until the turn ends.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct Sealed {
        /// Where the handle goes, or would go if the engine did not end the process.
        pub opener: Opener,
        /// The turn; `None` where none is marked, or no scope is open at all.
        pub turn: Option<TurnRef>,
    }
}

impl RuleText for Sealed {
    fn rule(&self) -> Rule {
        Rule::Sealed
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.opener, self.turn) {
            (Opener::Nothing, _) => f.write_str("a handle is created with no HandleScope open"),
            (opener, Some(turn)) => write!(
                f,
                "a handle is created directly under {turn}, with no HandleScope opened since it began; the handle goes to \
                 {opener}"
            ),
            (opener, None) => write!(
                f,
                "a handle is created directly under a seal; the handle goes to {opener}"
            ),
        }
    }

    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result {
        self.opener.line(lines, "goes to", evidence.alive)
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        write!(
            f,
            "open a scope before creating the handle, in the function that the event loop calls: `{}`",
            wording.open_scope
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the creation of the handle")
    }

    fn opener(&self) -> Option<ScopeRef> {
        self.opener.scope()
    }

    fn turn(&self) -> Option<TurnRef> {
        self.turn
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        self.opener.map_places(change);
        if let Some(turn) = &mut self.turn {
            change(&mut turn.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{main_scope, message, message_with_note, uv_run};

    #[test]
    fn a_handle_directly_under_a_turn() {
        let finding = Sealed {
            opener: Opener::Known(main_scope(Place::here("main"))),
            turn: Some(uv_run(Place::here("uv_run"), None)),
        };
        assert_eq!(
            message_with_note(finding, "continues: as the note says", file!()),
            "\
handleguard: sealed: a handle is created directly under turn `uv_run` at FILE, with no HandleScope opened since it began; the \
handle goes to the HandleScope `main` at FILE
       goes to: HandleScope #1 `main` at FILE, opened 3 turns ago
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: sealed=panic
          note: panic continues: as the note says
          help: open a scope before creating the handle, in the function that the event loop calls: `let _scope = arena.scope();`
     backtrace (at the creation of the handle):
"
        );
    }

    #[test]
    fn a_handle_under_a_seal_with_no_turn_marked() {
        let finding = Sealed {
            opener: Opener::Unrecorded,
            turn: None,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: sealed: a handle is created directly under a seal; the handle goes to a HandleScope that handleguard did not record
       goes to: a HandleScope that no guard or hook recorded
        thread: worker-3
       isolate: 0xabc
          rule: sealed=panic
          help: open a scope before creating the handle, in the function that the event loop calls: `let _scope = arena.scope();`
     backtrace (at the creation of the handle):
"
        );
    }

    #[test]
    fn a_handle_with_no_scope_at_all() {
        let finding = Sealed {
            opener: Opener::Nothing,
            turn: None,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: sealed: a handle is created with no HandleScope open
       goes to: no HandleScope that handleguard sees
        thread: worker-3
       isolate: 0xabc
          rule: sealed=panic
          help: open a scope before creating the handle, in the function that the event loop calls: `let _scope = arena.scope();`
     backtrace (at the creation of the handle):
"
        );
    }
}
