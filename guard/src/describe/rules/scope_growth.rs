//! The words of `scope-growth`.

use crate::config::rule::Rule;
use crate::describe::handles::Handles;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::{Numbered, ScopeRef};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;
use std::time::Duration;

explained! {
r#"`scope-growth`: a loop fills a scope that stays open.

The checker sees each of the engine's blocks of handles begin (V8: one for each 1,022 handles), and who began it. A scope is
reported once it has taken several blocks, and either 16,384 scopes and calls began in it, as evenly as a loop begins them, or
it has been filled for a minute. It is counted again at each further block.

The rule needs the hooks. It is a judgement by repetition, so its action is `log` at most, unless the rule is named in
`HANDLEGUARD` or in `Config::rule`. A scope that is filled while turns run gets no such verdict: `outer-growth` judges turns exactly.

# Why it matters

This is the leak of a host that marks no turn: its event loop runs inside one scope, and each handle that is made outside of a
scope of its own stays there until the loop ends.

# Wrong

```
fn event_loop(isolate: impl handleguard::LiveIsolate, next: impl Fn() -> bool, create_handle: impl Fn()) {
    let _scope = handleguard::scope(isolate, "main");
    while next() {
        create_handle(); // stays in `main`
    }
}
```

# Right

```
fn event_loop(isolate: impl handleguard::LiveIsolate, next: impl Fn() -> bool, create_handle: impl Fn()) {
    while next() {
        let _turn = handleguard::turn(isolate, "event");
        let _scope = handleguard::scope(isolate, "event");
        create_handle();
    }
}
```

# How to silence it

Mark the turns of the loop: exact rules then take the place of this one. Or set `scope-growth=off` in `HANDLEGUARD`.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct ScopeGrowth {
        /// The scope, which is still open.
        pub scope: ScopeRef,
        /// Handles in it, at least.
        pub held: u64,
        /// Scopes and calls begun in it since its third block of handles.
        pub begun: u64,
        /// How long it has been filled, since its third block of handles.
        pub lasted: Duration,
        /// Who began most of its last blocks.
        pub filler: Option<Place>,
        /// How many of the last blocks that was.
        pub of_samples: usize,
        /// How many of the last blocks were examined.
        pub samples: usize,
        /// The innermost function on all of their stacks: the loop, or what it calls. `None` if the stacks are all one.
        pub inside: Option<Place>,
    }
}

impl RuleText for ScopeGrowth {
    fn rule(&self) -> Rule {
        Rule::ScopeGrowth
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, held, .. } = self;
        write!(f, "{scope} is still open and a loop fills it: ")?;
        write!(f, "{} so far", Handles(*held))?;
        if let Some(filler) = self.filler {
            write!(f, ", by {filler}")?;
        }
        if let Some(inside) = self.inside {
            write!(f, ", in {inside}")?;
        }
        Ok(())
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line("scope", Numbered(&self.scope))?;
        if let Some(filler) = self.filler {
            let Self {
                of_samples,
                samples,
                ..
            } = self;
            lines.line(
                "filled by",
                format_args!("{filler} ({of_samples} of {samples} samples)"),
            )?;
        }
        if let Some(inside) = self.inside {
            lines.line("all in", inside)?;
        }
        let seconds = self.lasted.as_secs_f64();
        lines.line(
            "rate",
            format_args!(
                "{} in {seconds:.1} s, with {} scopes and calls",
                Handles(self.held),
                self.begun
            ),
        )
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        let Wording {
            open_scope,
            mark_turn,
            ..
        } = wording;
        let place = self.inside.or(self.filler);
        match place.and_then(|place| place.name) {
            Some(name) => write!(
                f,
                "open a scope in `{name}`, or in each pass of the loop around it: `{open_scope}`"
            )?,
            None => write!(f, "open a scope in each pass of the loop: `{open_scope}`")?,
        }
        write!(
            f,
            "; if it is an event loop, mark its turns, which are then judged exactly: `{mark_turn}`"
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the handle that found the last block full")
    }

    fn opener(&self) -> Option<ScopeRef> {
        Some(self.scope)
    }

    fn place(&self) -> Option<Place> {
        self.filler.or(Some(self.scope.place))
    }

    fn handles(&self) -> u64 {
        self.held
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.scope.place);
        self.filler.iter_mut().for_each(&mut *change);
        self.inside.iter_mut().for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{message, scope_ref};

    fn growth(filler: Option<Place>, inside: Option<Place>) -> ScopeGrowth {
        ScopeGrowth {
            scope: scope_ref(2, Place::here("main")),
            held: 49_056,
            begun: 16_384,
            lasted: Duration::from_millis(2_140),
            filler,
            of_samples: 3,
            samples: 4,
            inside,
        }
    }

    #[test]
    fn a_scope_that_a_loop_fills() {
        let finding = growth(Some(Place::here("on_close")), Some(Place::here("uv_run")));
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: scope-growth: HandleScope `main` at FILE is still open and a loop fills it: 49056 handles so far, by `on_close` at FILE, in `uv_run` at FILE
         scope: HandleScope #2 `main` at FILE
     filled by: `on_close` at FILE (3 of 4 samples)
        all in: `uv_run` at FILE
          rate: 49056 handles in 2.1 s, with 16384 scopes and calls
        thread: worker-3
       isolate: 0xabc
          rule: scope-growth=panic
          help: open a scope in `uv_run`, or in each pass of the loop around it: `let _scope = arena.scope();`; if it is an event loop, mark its turns, which are then judged exactly: `let _turn = arena.turn();`
     backtrace (at the handle that found the last block full):
"
        );
    }

    #[test]
    fn a_scope_that_an_unknown_function_fills() {
        assert_eq!(
            message(growth(None, None), file!()),
            "\
handleguard: scope-growth: HandleScope `main` at FILE is still open and a loop fills it: 49056 handles so far
         scope: HandleScope #2 `main` at FILE
          rate: 49056 handles in 2.1 s, with 16384 scopes and calls
        thread: worker-3
       isolate: 0xabc
          rule: scope-growth=panic
          help: open a scope in each pass of the loop: `let _scope = arena.scope();`; if it is an event loop, mark its turns, which are then judged exactly: `let _turn = arena.turn();`
     backtrace (at the handle that found the last block full):
"
        );
    }
}
