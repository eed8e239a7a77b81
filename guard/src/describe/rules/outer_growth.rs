//! The words of `outer-growth`.

use crate::config::rule::Rule;
use crate::describe::ended::Ended;
use crate::describe::handles::Handles;
use crate::describe::lines::Lines;
use crate::describe::makers::{Makers, Seen};
use crate::describe::opener::Opener;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::ScopeRef;
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`outer-growth`: a callback or a turn ended with more handles in the enclosing scope than it found there.

The handles were created before a scope opened or after it closed, or they were escaped into a scope that outlives the turn. Every
turn adds some.

# Why it matters

This is the leak itself, counted by the engine to one handle. The rule finds it even where every callback has a scope: one
handle that is created above the scope, or one escaped handle that nobody uses.

Where the engine layer can let a refused handle through, as with hooks in V8, the report names the functions that made the handles,
and shows the stack of the first. Such a turn is sealed: each handle directly under it is noticed, and goes where it would go without
the checker. With `panic` and `abort`, and in tests, each turn is watched so; with `log` and `count`, the first turns of each isolate,
and the next turns of a place that left handles. If the place was logged before its makers were seen, it is logged once more.

# Wrong

```
fn on_read(isolate: impl handleguard::LiveIsolate, create_handle: impl Fn()) {
    let _turn = handleguard::turn(isolate, "on_read");
    create_handle(); // stays in the scope around the turn
    let _scope = handleguard::scope(isolate, "on_read");
    let _callback = handleguard::callback(isolate, "on_read");
}
```

# Right

```
fn on_read(isolate: impl handleguard::LiveIsolate, create_handle: impl Fn()) {
    let _turn = handleguard::turn(isolate, "on_read");
    let _scope = handleguard::scope(isolate, "on_read");
    create_handle();
    let _callback = handleguard::callback(isolate, "on_read");
}
```

# How to silence it

Set `outer-growth=off` or `outer-growth=count` in `HANDLEGUARD`. A turn that is meant to leave a value behind, at start-up for
example, can keep it in a global (persistent) handle instead.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct OuterGrowth {
        /// The callback or turn that ended.
        pub ended: Ended,
        /// Where its handles are left.
        pub opener: Opener,
        /// The turn that ended, or the one in which the callback ran.
        pub turn: TurnRef,
        /// Handles left.
        pub grown: u64,
        /// The functions that made them, as far as they were seen.
        pub makers: Makers,
    }
}

impl RuleText for OuterGrowth {
    fn rule(&self) -> Rule {
        Rule::OuterGrowth
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.callback() {
            Some(callback) => write!(f, "callback {callback}")?,
            None => write!(f, "{}", self.turn)?,
        }
        write!(f, " left {} in {}", Handles(self.grown), self.opener)?;
        if self.makers.is_empty() {
            return Ok(());
        }
        write!(f, ", {}", self.makers)
    }

    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result {
        if let Some(callback) = self.callback() {
            lines.line("callback", callback)?;
        }
        for maker in self.makers.iter() {
            lines.line(maker.label(), maker)?;
        }
        self.opener.line(lines, "swallowed by", evidence.alive)
    }

    fn note(&self) -> Option<&'static str> {
        (self.makers.first_seen() == Some(Seen::Calling)).then_some(
            "without the hook that lets refused handles through, only calls that run script are seen, and not who made each handle",
        )
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        f.write_str("open a scope ")?;
        if let Some(maker) = self.makers.to_mend() {
            write!(f, "in `{maker}` ")?;
        }
        write!(
            f,
            "before creating the first handle, and escape only the handle you return: `{}`",
            wording.open_scope
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.makers.first_seen() {
            Some(Seen::Making) => return f.write_str("at the creation of the first handle"),
            Some(Seen::Calling) => return f.write_str("at the first of these calls of the engine"),
            None => {}
        }
        match self.callback() {
            Some(_) => f.write_str("at the end of the callback"),
            None => write!(f, "at the end of the {}", self.turn.kind()),
        }
    }

    fn callback(&self) -> Option<Place> {
        match self.ended {
            Ended::Callback(callback) => Some(callback),
            Ended::Turn | Ended::Isolate | Ended::Exit(_) => None,
        }
    }

    fn opener(&self) -> Option<ScopeRef> {
        self.opener.scope()
    }

    fn turn(&self) -> Option<TurnRef> {
        Some(self.turn)
    }

    fn place(&self) -> Option<Place> {
        Some(self.callback().unwrap_or(self.turn.place))
    }

    fn handles(&self) -> u64 {
        self.grown
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        if let Ended::Callback(callback) = &mut self.ended {
            change(callback);
        }
        self.opener.map_places(change);
        change(&mut self.turn.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::gc_phase::GcPhase;
    use crate::describe::makers::Maker;
    use crate::tests::{main_scope, message, message_with_note, uv_run};

    /// Where `missing-scope` is off, or the site table is full.
    #[test]
    fn handles_left_by_a_callback() {
        let finding = OuterGrowth {
            ended: Ended::Callback(Place::here("on_close")),
            opener: Opener::Known(main_scope(Place::here("main"))),
            turn: uv_run(Place::here("uv_run"), None),
            grown: 2,
            makers: Makers::default(),
        };
        assert_eq!(
            message_with_note(finding, crate::react::actions::NO_UNWIND, file!()),
            "\
handleguard: outer-growth: callback `on_close` at FILE left 2 handles in the HandleScope `main` at FILE
      callback: `on_close` at FILE
  swallowed by: HandleScope #1 `main` at FILE, opened 3 turns ago
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          note: panic aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them
          help: open a scope before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the end of the callback):
"
        );
    }

    #[test]
    fn a_handle_left_by_a_finalizer() {
        let finding = OuterGrowth {
            ended: Ended::Turn,
            opener: Opener::Known(main_scope(Place::here("main"))),
            turn: uv_run(Place::here("uv_run"), Some(GcPhase::SecondPass)),
            grown: 1,
            makers: Makers::default(),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: outer-growth: finalizer `uv_run` at FILE left 1 handle in the HandleScope `main` at FILE
  swallowed by: HandleScope #1 `main` at FILE, opened 3 turns ago
        inside: finalizer `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          help: open a scope before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the end of the finalizer):
"
        );
    }

    #[test]
    fn handles_whose_makers_were_seen() {
        let maker = |name, caller| Maker {
            place: Place::here(name),
            caller,
            seen: Seen::Making,
        };
        let finding = OuterGrowth {
            ended: Ended::Turn,
            opener: Opener::Known(main_scope(Place::here("main"))),
            turn: uv_run(Place::here("uv_run"), None),
            grown: 3,
            makers: Makers::of([
                maker("reply", Some(Place::here("on_reply"))),
                maker("log", None),
            ]),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: outer-growth: turn `uv_run` at FILE left 3 handles in the HandleScope `main` at FILE, made by `reply` at FILE, \
called by `on_reply` at FILE; and by `log` at FILE
       made by: `reply` at FILE, called by `on_reply` at FILE
       made by: `log` at FILE
  swallowed by: HandleScope #1 `main` at FILE, opened 3 turns ago
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          help: open a scope in `reply` before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the creation of the first handle):
"
        );
    }

    #[test]
    fn handles_made_before_the_engine_was_called() {
        let finding = OuterGrowth {
            ended: Ended::Turn,
            opener: Opener::Unrecorded,
            turn: uv_run(Place::here("uv_run"), None),
            grown: 3,
            makers: Makers::of(["on_reply", "on_close"].map(|name| Maker {
                place: Place::here(name),
                caller: None,
                seen: Seen::Calling,
            })),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: outer-growth: turn `uv_run` at FILE left 3 handles in a HandleScope that handleguard did not record, made before a call \
of the engine by `on_reply` at FILE; and before a call of the engine by `on_close` at FILE
   made before: a call of the engine by `on_reply` at FILE
   made before: a call of the engine by `on_close` at FILE
  swallowed by: a HandleScope that no guard or hook recorded
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          note: without the hook that lets refused handles through, only calls that run script are seen, and not who made each handle
          help: open a scope in `on_reply` before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the first of these calls of the engine):
"
        );
    }
}
