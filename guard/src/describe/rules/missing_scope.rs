//! The words of `missing-scope`.

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
r#"`missing-scope`: the host called into JavaScript, and no handle scope was opened since the turn began.

The call creates handles, at least one for its result, and each handle stays in the innermost open scope. Here that scope was
opened before the turn, in `main` perhaps, and it lives as long as the process.

# Why it matters

The program leaks a few bytes with each call, and keeps alive every object that the handles refer to. The leak is silent: the
handles are reachable, so no heap profiler shows them. In Node.js, one such callback leaked 8 MB a day and took a core team three
weeks to find.

# Wrong

```
fn on_close(isolate: impl handleguard::LiveIsolate) {
    let _callback = handleguard::callback(isolate, "on_close"); // the call into JavaScript
}
```

# Right

```
fn on_close(isolate: impl handleguard::LiveIsolate) {
    let _scope = handleguard::scope(isolate, "on_close"); // with the engine's own scope beside it
    let _callback = handleguard::callback(isolate, "on_close");
}
```

# How to silence it

Set `missing-scope=off` or `missing-scope=count` in `HANDLEGUARD`, or `addon:<file>=count` for the calls of one add-on. With
`missing-scope=off`, `outer-growth` still reports the handles that the callback leaves.

A checkpoint for microtasks needs no scope, because the engine opens one for the microtasks.

Native code that JavaScript calls needs no scope of its own, because the engine opens one around it. With `strict`, handleguard
also reports a callback that only such a scope encloses: the same code would leak if the event loop called it directly. Code that
the engine calls on its own account, such as a hook for promises, is not reported.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct MissingScope {
        /// The callback that started.
        pub callback: Place,
        /// Where its handles land.
        pub opener: Opener,
        /// The turn it started in; `None` where no turn is marked.
        pub turn: Option<TurnRef>,
    }
}

impl RuleText for MissingScope {
    fn rule(&self) -> Rule {
        Rule::MissingScope
    }

    // V8 makes no handle without a scope (`HandleScope::Extend`).
    fn is_urgent(&self) -> bool {
        self.opener == Opener::Nothing
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            callback, opener, ..
        } = self;
        match opener {
            Opener::Nothing => write!(f, "callback {callback} started with no HandleScope open"),
            Opener::Caller(caller) => write!(
                f,
                "callback {callback} started with no HandleScope of its own; only that of its JavaScript caller, in callback \
                 {caller}, encloses it"
            ),
            Opener::Known(_) | Opener::Unrecorded | Opener::Engine(_) => {
                let since = match self.turn {
                    Some(_) => " since the turn began",
                    None => "",
                };
                write!(
                    f,
                    "callback {callback} started with no HandleScope opened{since}; its handles stay in {opener}"
                )
            }
        }
    }

    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result {
        lines.line("callback", self.callback)?;
        if let Some(callee) = evidence.callee {
            lines.line("calls", callee)?;
        }
        self.opener.line(lines, "swallowed by", evidence.alive)
    }

    fn note(&self) -> Option<&'static str> {
        matches!(self.opener, Opener::Caller(_)).then_some(
            "strict: checked as if the event loop had called it directly, where no scope would enclose it",
        )
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        let open_scope = wording.open_scope;
        match self.callback.name {
            Some(name) => write!(
                f,
                "open a scope in `{name}` before its first handle: `{open_scope}`"
            ),
            None => write!(f, "open a scope before the call: `{open_scope}`"),
        }
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the start of the callback")
    }

    fn callback(&self) -> Option<Place> {
        Some(self.callback)
    }

    fn opener(&self) -> Option<ScopeRef> {
        self.opener.scope()
    }

    fn turn(&self) -> Option<TurnRef> {
        self.turn
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.callback);
        self.opener.map_places(change);
        if let Some(turn) = &mut self.turn {
            change(&mut turn.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{message, uv_run};

    #[test]
    fn a_callback_whose_handles_stay_in_a_scope_of_the_engine() {
        let finding = MissingScope {
            callback: Place::here("on_close"),
            opener: Opener::Engine(Place::here("on_read")),
            turn: Some(uv_run(Place::here("uv_run"), None)),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: missing-scope: callback `on_close` at FILE started with no HandleScope opened since the turn began; its handles \
stay in the engine's own HandleScope in callback `on_read` at FILE
      callback: `on_close` at FILE
  swallowed by: a HandleScope that the engine opened around native code, in callback `on_read` at FILE
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: missing-scope=panic
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
"
        );
    }

    /// In a program without symbols.
    #[test]
    fn a_callback_without_a_name_is_helped_at_its_line() {
        let finding = MissingScope {
            callback: Place::here(None),
            opener: Opener::Unrecorded,
            turn: None,
        };
        let text = message(finding, file!());
        let help = "          help: open a scope before the call: `let _scope = arena.scope();`\n";
        assert!(text.contains(help), "{text}");
    }

    #[test]
    fn a_callback_hidden_by_a_javascript_caller() {
        let finding = MissingScope {
            callback: Place::here("resolve"),
            opener: Opener::Caller(Place::here("on_message")),
            turn: None,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: missing-scope: callback `resolve` at FILE started with no HandleScope of its own; only that of its JavaScript \
caller, in callback `on_message` at FILE, encloses it
      callback: `resolve` at FILE
     hidden by: the scope that the engine opened for the JavaScript caller, in callback `on_message` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: missing-scope=panic
          note: strict: checked as if the event loop had called it directly, where no scope would enclose it
          help: open a scope in `resolve` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
"
        );
    }
}
