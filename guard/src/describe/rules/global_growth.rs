//! The words of `global-growth`.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`global-growth`: advice. The persistent handles of an isolate grow steadily, and what piles up is not reset.

A persistent handle lives until it is reset, whatever scope closes. The engine counts them. handleguard judges their number over
the whole life of the isolate, at its end (higher at each of eight or more moments, evenly spaced, by about the same number, and
still so at the end), and in a long run at its ticks (higher at each of three in a row, by 10,000 in all). With the hooks, the
report names who makes the handles, and counts only what the host has made and left; without them, the growth must have outlived two
full collections, for the engine counts weak handles of garbage too.

It is a judgement by repetition, not a proof, so its default is never more than `log`, in every build: a cache without a limit
looks the same.

# Why it matters

Each persistent handle keeps an object alive, with all that the object refers to. A host that makes one for each event and
forgets it grows until the process ends, and no scope is at fault.

# Wrong

```
struct Persistent(u32); // resets its handle when it is dropped

fn on_event(event: u32) {
    std::mem::forget(Persistent(event)); // nobody resets it
}
```

# Right

```
struct Persistent(u32); // resets its handle when it is dropped

fn on_event(event: u32) {
    let _kept = Persistent(event); // reset at the end of the event
}
```

# How to silence it

Reset each persistent handle when its event is over, or give the cache that keeps them a limit. If they are meant to pile up, set
`global-growth=off` in `HANDLEGUARD`.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct GlobalGrowth {
        /// How many more persistent handles are alive.
        pub grown: u64,
        /// How many are alive in all.
        pub alive: u64,
        /// Over how many turns, or scopes and calls, they grew.
        pub steps: u64,
        /// What `steps` counts.
        pub counted_in: Steps,
        /// How many handles were followed to count who makes them: none without the hooks.
        pub counted: u64,
        /// Who made at least half of those that were counted and not reset.
        pub maker: Option<GlobalMaker>,
    }
}

/// What a growth of persistent handles is measured by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Steps {
    /// Turns that the host marks.
    Turns,
    /// Scopes and calls into JavaScript together, of a host that marks no turn.
    ScopesAndCalls,
}

/// A place that makes persistent handles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct GlobalMaker {
    /// Who makes them.
    pub place: Place,
    /// How many were counted.
    pub made: u64,
    /// How many of those were reset.
    pub reset: u64,
}

impl Steps {
    fn name(self, number: u64) -> &'static str {
        match (self, number) {
            (Self::Turns, 1) => "turn",
            (Self::Turns, _) => "turns",
            (Self::ScopesAndCalls, 1) => "scope or call",
            (Self::ScopesAndCalls, _) => "scopes and calls",
        }
    }
}

impl RuleText for GlobalGrowth {
    fn rule(&self) -> Rule {
        Rule::GlobalGrowth
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            grown,
            alive,
            steps,
            ..
        } = self;
        let name = self.counted_in.name(*steps);
        write!(
            f,
            "persistent handles grow steadily: {grown} more after {steps} {name}, {alive} alive"
        )?;
        match &self.maker {
            Some(GlobalMaker { place, .. }) => write!(f, "; made by {place}"),
            None => Ok(()),
        }
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        let tenths = self.grown * 10 / self.steps.max(1);
        let step = self.counted_in.name(1);
        lines.line(
            "growth",
            format_args!("{}.{} a {step}", tenths / 10, tenths % 10),
        )?;
        match (&self.maker, self.counted) {
            (Some(GlobalMaker { place, made, reset }), counted) => lines.line(
                "made by",
                format_args!("{place} ({made} of {counted} counted, {reset} of them reset)"),
            ),
            (None, 0) => lines.line(
                "made by",
                "unknown: only the linker's hooks count who makes persistent handles",
            ),
            (None, counted) => lines.line(
                "made by",
                format_args!("several places: none made half of the {counted} counted"),
            ),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(
            "reset each persistent handle when its event is over, or limit the cache that keeps them",
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("where the growth was found")
    }

    fn place(&self) -> Option<Place> {
        self.maker.map(|maker| maker.place)
    }

    fn handles(&self) -> u64 {
        self.grown
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        if let Some(maker) = &mut self.maker {
            change(&mut maker.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::message;

    const GROWTH: GlobalGrowth = GlobalGrowth {
        grown: 284,
        alive: 301,
        steps: 284,
        counted_in: Steps::Turns,
        counted: 0,
        maker: None,
    };

    #[test]
    fn growth_whose_maker_the_hooks_have_counted() {
        let finding = GlobalGrowth {
            counted: 140,
            maker: Some(GlobalMaker {
                place: Place::here("on_event"),
                made: 128,
                reset: 3,
            }),
            ..GROWTH
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: global-growth: persistent handles grow steadily: 284 more after 284 turns, 301 alive; made by `on_event` at FILE
        growth: 1.0 a turn
       made by: `on_event` at FILE (128 of 140 counted, 3 of them reset)
        thread: worker-3
       isolate: 0xabc
          rule: global-growth=panic
          help: reset each persistent handle when its event is over, or limit the cache that keeps them
     backtrace (where the growth was found):
"
        );
    }

    #[test]
    fn growth_without_the_hooks() {
        let finding = GlobalGrowth {
            steps: 800,
            counted_in: Steps::ScopesAndCalls,
            ..GROWTH
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: global-growth: persistent handles grow steadily: 284 more after 800 scopes and calls, 301 alive
        growth: 0.3 a scope or call
       made by: unknown: only the linker's hooks count who makes persistent handles
        thread: worker-3
       isolate: 0xabc
          rule: global-growth=panic
          help: reset each persistent handle when its event is over, or limit the cache that keeps them
     backtrace (where the growth was found):
"
        );
    }

    #[test]
    fn growth_that_several_places_make() {
        let finding = GlobalGrowth {
            counted: 140,
            ..GROWTH
        };
        let text = message(finding, file!());
        let line = "       made by: several places: none made half of the 140 counted\n";
        assert!(text.contains(line), "{text}");
    }
}
