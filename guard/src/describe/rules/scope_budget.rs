//! The words of `scope-budget`.

use crate::config::rule::Rule;
use crate::describe::handles::Handles;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::{Numbered, ScopeRef};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`scope-budget`: a scope that is still open holds more handles than the budget allows.

There is a budget only where the user sets one, with `scope-budget=<number>` or `Config::scope_budget`. A scope is reported once,
when it is found over the budget.

# Why it matters

A loop that never leaves its one scope ends no turn, so no other rule can find what it leaks: a worker that compiles one script
after another, an import of a million rows. The scope grows until the process ends.

# Wrong

```
fn import(isolate: impl handleguard::LiveIsolate, rows: &[u32], create_handle: impl Fn(u32)) {
    let _scope = handleguard::scope(isolate, "import"); // holds the handles of all rows
    for &row in rows {
        create_handle(row);
    }
}
```

# Right

```
fn import(isolate: impl handleguard::LiveIsolate, rows: &[u32], create_handle: impl Fn(u32)) {
    for &row in rows {
        let _scope = handleguard::scope(isolate, "import a row");
        create_handle(row);
    }
}
```

# How to silence it

Raise the budget, or set `scope-budget=off` in `HANDLEGUARD`. The high-water marks in the report show how many handles the scopes
of each opener held; a budget a little above them reports what is out of the ordinary.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct ScopeBudget {
        /// The scope, which is still open.
        pub scope: ScopeRef,
        /// Handles in it.
        pub held: u64,
        /// How many handles it may hold.
        pub budget: u64,
    }
}

impl RuleText for ScopeBudget {
    fn rule(&self) -> Rule {
        Rule::ScopeBudget
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} holds {} while still open, more than its budget of {}",
            self.scope,
            Handles(self.held),
            self.budget
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line("scope", Numbered(&self.scope))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        write!(
            f,
            "open a scope in each iteration of the loop that creates the handles, an escapable one where a value must leave \
             it: `{}`",
            wording.open_scope
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the check that found the budget exceeded")
    }

    fn opener(&self) -> Option<ScopeRef> {
        Some(self.scope)
    }

    fn handles(&self) -> u64 {
        self.held
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.scope.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{message, scope_ref};

    #[test]
    fn a_scope_over_its_budget() {
        let finding = ScopeBudget {
            scope: scope_ref(2, Place::here("worker")),
            held: 10_001,
            budget: 10_000,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: scope-budget: HandleScope `worker` at FILE holds 10001 handles while still open, more than its budget of 10000
         scope: HandleScope #2 `worker` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: scope-budget=panic
          help: open a scope in each iteration of the loop that creates the handles, an escapable one where a value must leave it: `let _scope = arena.scope();`
     backtrace (at the check that found the budget exceeded):
"
        );
    }
}
