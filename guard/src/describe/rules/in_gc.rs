//! The words of `in-gc`.

use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::gc_phase::GcPhase;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`in-gc`: a callback, scope or turn began while the engine was collecting garbage, or while the isolate was being torn down.

A collection can interrupt any code. What it runs (a GC callback, a weak callback, a finalizer, a destructor) finds the heap in the
middle of a change. A finalizer may create handles in a scope that it opens; no phase may call into JavaScript.

# Why it matters

A handle that is created during a collection can point to an object that has moved, and a call into JavaScript from a
finalizer ends the process. Both depend on when the collection happens, so tests seldom find them.

# Wrong

```
use handleguard::finding::GcPhase;

fn on_gone(isolate: impl handleguard::LiveIsolate) {
    let place = handleguard::Place::here("on_gone");
    let _phase = handleguard::gc(isolate, GcPhase::SecondPass, place);
    let _callback = handleguard::callback(isolate, "on_gone"); // calls into JavaScript
}
```

# Right

```
use handleguard::finding::GcPhase;

fn on_gone(isolate: impl handleguard::LiveIsolate, later: &mut Vec<&'static str>) {
    let place = handleguard::Place::here("on_gone");
    let _phase = handleguard::gc(isolate, GcPhase::SecondPass, place);
    later.push("on_gone");
}

fn run_tasks(isolate: impl handleguard::LiveIsolate, later: &mut Vec<&'static str>) {
    for name in later.drain(..) {
        let _turn = handleguard::turn(isolate, name);
        let _scope = handleguard::scope(isolate, name);
        let _callback = handleguard::callback(isolate, name);
    }
}
```

# How to silence it

Set `in-gc=off` or `in-gc=log` in `HANDLEGUARD`. The engine's own limits stay in force.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct InGc {
        /// What begins.
        pub beginning: Beginning,
        /// Where.
        pub place: Place,
        /// The phase in which it may not begin.
        pub phase: GcPhase,
        /// Where a guard marks the phase; `None` where the engine reported the collection.
        pub marked: Option<Place>,
    }
}

impl RuleText for InGc {
    fn rule(&self) -> Rule {
        Rule::InGc
    }

    // V8 allows no JavaScript in a collection (`Execution::Call`, `DisallowJavascriptExecution`).
    fn is_urgent(&self) -> bool {
        self.beginning == Beginning::Callback
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            beginning,
            place,
            phase,
            marked,
        } = self;
        write!(f, "{beginning} {place} begins inside ")?;
        match (marked, phase) {
            (Some(marked), _) => write!(f, "{phase} {marked}"),
            (None, GcPhase::Destructor) => f.write_str("a destructor that garbage collection runs"),
            (None, GcPhase::SecondPass) => f.write_str("a finalizer"),
            (None, _) => f.write_str("a garbage collection"),
        }
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        let Self {
            beginning,
            place,
            phase,
            marked,
        } = self;
        lines.line("begins", format_args!("{beginning} {place}"))?;
        match (marked, phase) {
            (Some(marked), _) => lines.line("inside", format_args!("{phase} {marked}")),
            (None, GcPhase::Destructor) => {
                lines.line("inside", "a destructor that the engine runs as it sweeps")
            }
            (None, GcPhase::SecondPass) => lines.line(
                "inside",
                "a finalizer in which the engine allows no JavaScript",
            ),
            (None, _) => lines.line("inside", "a garbage collection that the engine reported"),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(match self.phase {
            GcPhase::Teardown => "do this before the isolate is torn down",
            GcPhase::SecondPass => {
                "the engine forbids this call in a finalizer and ends the process: make it in a task or turn of its own, after \
                 the collection"
            }
            GcPhase::Callback | GcPhase::FirstPass | GcPhase::Destructor => {
                "note here only what is to be done, and do it in a task or turn of its own, after the collection"
            }
        })
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.beginning.moment())
    }

    fn callback(&self) -> Option<Place> {
        matches!(self.beginning, Beginning::Callback).then_some(self.place)
    }

    fn place(&self) -> Option<Place> {
        Some(self.place)
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.place);
        if let Some(marked) = &mut self.marked {
            change(marked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::scope::ScopeKind;
    use crate::tests::message;

    #[test]
    fn a_callback_in_a_finalizer() {
        let finding = InGc {
            beginning: Beginning::Callback,
            place: Place::here("on_gone"),
            phase: GcPhase::SecondPass,
            marked: Some(Place::here("socket")),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: in-gc: callback `on_gone` at FILE begins inside finalizer `socket` at FILE
        begins: callback `on_gone` at FILE
        inside: finalizer `socket` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: in-gc=panic
          help: the engine forbids this call in a finalizer and ends the process: make it in a task or turn of its own, after the collection
     backtrace (at the start of the callback):
"
        );
    }

    #[test]
    fn a_scope_in_a_collection_that_the_engine_reported() {
        let finding = InGc {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("after_gc"),
            phase: GcPhase::Callback,
            marked: None,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: in-gc: HandleScope `after_gc` at FILE begins inside a garbage collection
        begins: HandleScope `after_gc` at FILE
        inside: a garbage collection that the engine reported
        thread: worker-3
       isolate: 0xabc
          rule: in-gc=panic
          help: note here only what is to be done, and do it in a task or turn of its own, after the collection
     backtrace (at the opening of the scope):
"
        );
    }

    #[test]
    fn a_scope_in_a_destructor_and_a_callback_in_a_finalizer_that_nothing_marks() {
        let cases = [
            (
                Beginning::Scope(ScopeKind::HandleScope),
                GcPhase::Destructor,
                "HandleScope `gone` at FILE begins inside a destructor that garbage collection runs",
                "a destructor that the engine runs as it sweeps",
            ),
            (
                Beginning::Callback,
                GcPhase::SecondPass,
                "callback `gone` at FILE begins inside a finalizer",
                "a finalizer in which the engine allows no JavaScript",
            ),
        ];
        for (beginning, phase, sentence, inside) in cases {
            let finding = InGc {
                beginning,
                place: Place::here("gone"),
                phase,
                marked: None,
            };
            let text = message(finding, file!());
            let sentence = format!("handleguard: in-gc: {sentence}\n");
            assert!(text.starts_with(&sentence), "{text}");
            assert!(
                text.contains(&format!("\n        inside: {inside}\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_scope_in_teardown() {
        let finding = InGc {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("at_exit"),
            phase: GcPhase::Teardown,
            marked: Some(Place::here("dispose")),
        };
        let text = message(finding, file!());
        assert!(
            text.contains("\n          help: do this before the isolate is torn down\n"),
            "{text}"
        );
    }
}
