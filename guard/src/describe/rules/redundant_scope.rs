//! The words of `redundant-scope`.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::ScopeKind;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`redundant-scope`: advice. A place opened scope after scope, and none of them ever held a handle.

The rule is off unless you name it, because a scope that is empty in one run can be needed in another.

# Why it matters

A scope costs a few nanoseconds. On a hot path (a getter, a fast call) that is worth saving.

# Wrong

```
fn get(isolate: impl handleguard::LiveIsolate, value: u32) -> u32 {
    let _scope = handleguard::scope(isolate, "get"); // creates no handle
    value
}
```

# Right

```
fn get(_: impl handleguard::LiveIsolate, value: u32) -> u32 {
    value
}
```

# How to silence it

Remove `redundant-scope=<action>` from `HANDLEGUARD`. Keep a scope whose code creates a handle on a rare path.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct RedundantScope {
        /// The kind of the scopes.
        pub kind: ScopeKind,
        /// Where they are opened.
        pub place: Place,
        /// How many there were.
        pub uses: u64,
    }
}

impl RuleText for RedundantScope {
    fn rule(&self) -> Rule {
        Rule::RedundantScope
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, uses } = self;
        write!(
            f,
            "{kind} {place} held no handle of its own in {uses} of {uses} uses"
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        let Self { kind, place, uses } = self;
        lines.line("scope", format_args!("{kind} {place}"))?;
        lines.line("saves", format_args!("{uses} opens and closes so far"))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str("remove the scope, if the code inside it never needs to create a handle")
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the end of the isolate")
    }

    fn place(&self) -> Option<Place> {
        Some(self.place)
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::message;

    #[test]
    fn a_place_whose_scopes_stay_empty() {
        let finding = RedundantScope {
            kind: ScopeKind::HandleScope,
            place: Place::here("getter"),
            uses: 150,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: redundant-scope: HandleScope `getter` at FILE held no handle of its own in 150 of 150 uses
         scope: HandleScope `getter` at FILE
         saves: 150 opens and closes so far
        thread: worker-3
       isolate: 0xabc
          rule: redundant-scope=panic
          help: remove the scope, if the code inside it never needs to create a handle
     backtrace (at the end of the isolate):
"
        );
    }
}
