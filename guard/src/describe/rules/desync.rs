//! The words of `desync`.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`desync`: the engine counts fewer open scopes than handleguard has recorded.

This is a limit of handleguard, and no code is blamed for it. It is reported once; from then on the record follows the engine.

# Why it matters

A scope closed and its guard did not. Until the turns that are open now have ended, handleguard cannot decide which scope a
handle belongs to, and reports nothing about them.

# Wrong

```
struct Page<E: handleguard::Engine, Scope> {
    scope: Option<Scope>, // the engine's own scope
    guard: Option<handleguard::ScopeGuard<E>>,
}

fn reset<E: handleguard::Engine, Scope>(page: &mut Page<E, Scope>) {
    page.scope = None; // closes the scope and leaves its guard open
}
```

# Right

```
struct Page<E: handleguard::Engine, Scope> {
    opened: Option<(handleguard::ScopeGuard<E>, Scope)>, // the guard is dropped first, then the scope
}

fn reset<E: handleguard::Engine, Scope>(page: &mut Page<E, Scope>) {
    page.opened = None;
}
```

# How to silence it

Set `desync=off` in `HANDLEGUARD`. The macros of the engine's crate open each scope together with its guard and cannot cause this.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct Desync {
        /// The level inside the innermost entry of the record.
        pub recorded: u32,
        /// The engine's level.
        pub level: u32,
        /// The place of that entry.
        pub innermost: Place,
    }
}

impl RuleText for Desync {
    fn rule(&self) -> Rule {
        Rule::Desync
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the engine counts {} open scopes where handleguard's record has {}",
            self.level, self.recorded
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line(
            "recorded",
            format_args!("level {}, inside {}", self.recorded, self.innermost),
        )?;
        lines.line("engine's", format_args!("level {}", self.level))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(
            "drop each guard together with its scope: a scope closed while its guard stayed open; no code is blamed for it",
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the check that found the difference")
    }

    fn place(&self) -> Option<Place> {
        Some(self.innermost)
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.innermost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::message;

    #[test]
    fn a_record_that_is_higher_than_the_engine() {
        let finding = Desync {
            recorded: 3,
            level: 2,
            innermost: Place::here("on_read"),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: desync: the engine counts 2 open scopes where handleguard's record has 3
      recorded: level 3, inside `on_read` at FILE
      engine's: level 2
        thread: worker-3
       isolate: 0xabc
          rule: desync=panic
          help: drop each guard together with its scope: a scope closed while its guard stayed open; no code is blamed for it
     backtrace (at the check that found the difference):
"
        );
    }
}
