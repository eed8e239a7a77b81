//! The text of a violation.

use crate::describe::details::Details;
use crate::describe::sentence::Sentence;
use crate::describe::violation::Violation;
use std::fmt;
impl Violation {
    /// The first line without the leading `handleguard: `: the rule, and one sentence with both places.
    pub fn sentence(&self) -> impl fmt::Display + '_ {
        Sentence(&self.finding)
    }

    /// The labelled lines: both places, thread, rule, help. Does not allocate.
    pub(crate) fn details(&self) -> impl fmt::Display + '_ {
        Details(self)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "handleguard: {}", self.sentence())?;
        write!(f, "{}{}", self.details(), self.trace)
    }
}

/// What no guard can be made to violate; all else is in `tests/messages.rs`.
#[cfg(test)]
mod tests {
    use crate::detect::finding::{Beginning, Ended, GcPhase, Opener, ScopeKind, ScopeRef, TurnRef};
    use crate::engine::ids::IsolateId;
    use crate::finding::Finding;
    use crate::place::Place;

    fn message(finding: Finding, note: Option<&'static str>) -> String {
        let violation = crate::tests::violation(finding, note);
        let text = format!(
            "handleguard: {}\n{}",
            violation.sentence(),
            violation.details()
        );
        assert_eq!(violation.to_string(), format!("{text}{}", violation.trace));
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(file!()) {
            out.push_str(&rest[..at]);
            out.push_str("FILE");
            rest = rest[at + file!().len()..]
                .trim_start_matches(|character: char| character == ':' || character.is_numeric());
        }
        out + rest
    }

    #[test]
    fn closed_twice() {
        assert_eq!(
            message(Finding::ClosedTwice { number: Some(7) }, None),
            "\
handleguard: out-of-order: scope #7 closed, which is not open: closed twice, or after the scope around it
        thread: worker-3
       isolate: 0xabc
          rule: out-of-order=panic
          help: close each scope once: do not copy what owns it
     backtrace: of the close
"
        );
    }

    #[test]
    fn storage_reused() {
        let finding = Finding::StorageReused {
            first: ScopeRef {
                number: 2,
                kind: ScopeKind::HandleScope,
                place: Place::here("page"),
                turns_ago: 0,
            },
            again: Place::here("frame"),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: never-closed: a scope is constructed `frame` at FILE in the memory of HandleScope `page` at FILE, which is still \
open and can close no more
   constructed: `frame` at FILE
    still open: HandleScope #2 `page` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: give each scope memory of its own, or close the first before
     backtrace: of the second construction
"
        );
    }

    #[test]
    fn closed_twice_by_a_hooks_word() {
        let text = message(Finding::ClosedTwice { number: None }, None);
        assert_eq!(
            text.lines().next(),
            Some(
                "handleguard: out-of-order: a scope closed, which is not open: closed twice, or after the scope around it"
            )
        );
    }

    #[test]
    fn scope_budget() {
        let finding = Finding::ScopeBudget {
            scope: ScopeRef {
                number: 2,
                kind: ScopeKind::HandleScope,
                place: Place::here("worker"),
                turns_ago: 0,
            },
            held: 10_001,
            budget: 10_000,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: scope-budget: HandleScope `worker` at FILE holds 10001 handles while still open, more than its budget of 10000
         scope: HandleScope #2 `worker` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: scope-budget=panic
          help: open a scope for each round of the loop that makes them, an escapable one where a value must come out of it: `let _scope = arena.scope();`
     backtrace: of where it was found over
"
        );
    }

    #[test]
    fn wrong_thread() {
        let finding = Finding::WrongThread {
            beginning: Beginning::Turn,
            place: Place::here("request"),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: wrong-thread: turn `request` at FILE begins in an isolate that this thread has not entered
        begins: turn `request` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: wrong-thread=panic
          help: enter the isolate on this thread first, once the other has left it (`Isolate::enter`, `exit`)
     backtrace: of the beginning
"
        );
    }

    #[test]
    fn wrong_isolate() {
        let finding = Finding::WrongIsolate {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("on_close"),
            entered: IsolateId(0xdef),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: wrong-isolate: HandleScope `on_close` at FILE begins in an isolate that is not the current one of this thread
        begins: HandleScope `on_close` at FILE
       current: isolate 0xdef
        thread: worker-3
       isolate: 0xabc
          rule: wrong-isolate=panic
          help: enter the isolate first, and leave it before the other goes on (`Isolate::enter`, `exit`)
     backtrace: of the beginning
"
        );
    }

    #[test]
    fn missing_scope_hidden_by_a_javascript_caller() {
        let finding = Finding::MissingScope {
            callback: Place::here("resolve"),
            opener: Opener::Caller(Place::here("on_message")),
            turn: None,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: missing-scope: callback `resolve` at FILE started with no HandleScope of its own; only that of its JavaScript \
caller, in callback `on_message` at FILE, encloses it
      callback: `resolve` at FILE
     hidden by: the scope that the engine opened for a JavaScript caller, in callback `on_message` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: missing-scope=panic
          note: strict: judged as if it had come straight from the loop, where nothing would enclose it
          help: open a scope on entry to `resolve`: `let _scope = arena.scope();`
     backtrace: of the callback
"
        );
    }

    /// Where `missing-scope` is off, or the site table is full.
    #[test]
    fn outer_growth_of_a_callback() {
        let finding = Finding::OuterGrowth {
            ended: Ended::Callback(Place::here("on_close")),
            opener: Opener::Known(ScopeRef {
                number: 1,
                kind: ScopeKind::HandleScope,
                place: Place::here("main"),
                turns_ago: 3,
            }),
            turn: TurnRef {
                number: 3,
                place: Place::here("uv_run"),
                gc: None,
            },
            grown: 2,
        };
        assert_eq!(
            message(finding, Some(crate::react::actions::NO_UNWIND)),
            "\
handleguard: outer-growth: callback `on_close` at FILE left 2 handles in the HandleScope `main` at FILE
      callback: `on_close` at FILE
  swallowed by: HandleScope #1 `main` at FILE, opened 3 turns ago
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          note: panic aborts, for the engine's C++ frames are on the stack, and a panic must not unwind through them
          help: open a scope before the first handle is made, and escape none that nobody uses: `let _scope = arena.scope();`
     backtrace: of the end of the callback
"
        );
    }

    fn main_scope() -> Opener {
        Opener::Known(ScopeRef {
            number: 1,
            kind: ScopeKind::HandleScope,
            place: Place::here("main"),
            turns_ago: 3,
        })
    }

    fn uv_run(gc: Option<GcPhase>) -> TurnRef {
        TurnRef {
            number: 3,
            place: Place::here("uv_run"),
            gc,
        }
    }

    #[test]
    fn sealed() {
        let finding = Finding::Sealed {
            opener: main_scope(),
            turn: Some(uv_run(None)),
        };
        assert_eq!(
            message(finding, Some("goes on: as the note says")),
            "\
handleguard: sealed: a handle is made directly under turn `uv_run` at FILE, with no HandleScope opened since it began; it \
goes to the HandleScope `main` at FILE
       goes to: HandleScope #1 `main` at FILE, opened 3 turns ago
          turn: #3 `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: sealed=panic
          note: panic goes on: as the note says
          help: open a scope before the handle is made, in the function that the loop calls: `let _scope = arena.scope();`
     backtrace: of the handle
"
        );
    }

    #[test]
    fn sealed_with_no_scope_at_all() {
        let finding = Finding::Sealed {
            opener: Opener::Nothing,
            turn: None,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: sealed: a handle is made with no HandleScope open at all
       goes to: nothing: no HandleScope is open that handleguard can see
        thread: worker-3
       isolate: 0xabc
          rule: sealed=panic
          help: open a scope before the handle is made, in the function that the loop calls: `let _scope = arena.scope();`
     backtrace: of the handle
"
        );
    }

    #[test]
    fn in_gc_of_a_marked_phase() {
        let finding = Finding::InGc {
            beginning: Beginning::Callback,
            place: Place::here("on_gone"),
            phase: GcPhase::SecondPass,
            marked: Some(Place::here("socket")),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: in-gc: callback `on_gone` at FILE begins inside finalizer `socket` at FILE
        begins: callback `on_gone` at FILE
        inside: finalizer `socket` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: in-gc=panic
          help: the engine forbids it there, and ends the process: call from a task or turn of its own, after the collection
     backtrace: of the beginning
"
        );
    }

    #[test]
    fn in_gc_by_the_engines_word() {
        let finding = Finding::InGc {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("after_gc"),
            phase: GcPhase::Callback,
            marked: None,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: in-gc: HandleScope `after_gc` at FILE begins inside a garbage collection
        begins: HandleScope `after_gc` at FILE
        inside: a garbage collection of the engine
        thread: worker-3
       isolate: 0xabc
          rule: in-gc=panic
          help: only note there what is to be done, and do it in a task or turn of its own, after the collection
     backtrace: of the beginning
"
        );
    }

    #[test]
    fn outer_growth_of_a_finalizer() {
        let finding = Finding::OuterGrowth {
            ended: Ended::Turn,
            opener: main_scope(),
            turn: uv_run(Some(GcPhase::SecondPass)),
            grown: 1,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: outer-growth: finalizer `uv_run` at FILE left 1 handle in the HandleScope `main` at FILE
  swallowed by: HandleScope #1 `main` at FILE, opened 3 turns ago
        inside: finalizer `uv_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: outer-growth=panic
          help: open a scope before the first handle is made, and escape none that nobody uses: `let _scope = arena.scope();`
     backtrace: of its end
"
        );
    }

    #[test]
    fn never_closed_at_an_exit() {
        let finding = Finding::NeverClosed {
            scope: main_scope(),
            ended: Ended::Exit(Place::here("Isolate::exit")),
            turn: None,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: never-closed: exit `Isolate::exit` at FILE leaves the isolate with the HandleScope `main` at FILE still open
    still open: HandleScope #1 `main` at FILE, opened 3 turns ago
          exit: `Isolate::exit` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: let the scope end with its block: no `mem::forget`, and no way out that skips its close
     backtrace: of the exit
"
        );
    }

    #[test]
    fn an_exit_in_the_wrong_order() {
        let finding = Finding::WrongIsolate {
            beginning: Beginning::Exit,
            place: Place::here("Isolate::exit"),
            entered: IsolateId(0xdef),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: wrong-isolate: exit `Isolate::exit` at FILE leaves an isolate that is not the current one of this thread
        leaves: exit `Isolate::exit` at FILE
       current: isolate 0xdef
        thread: worker-3
       isolate: 0xabc
          rule: wrong-isolate=panic
          help: leave isolates in the reverse order of entering them
     backtrace: of the exit
"
        );
    }

    #[test]
    fn redundant_scope() {
        let finding = Finding::RedundantScope {
            kind: ScopeKind::HandleScope,
            place: Place::here("getter"),
            uses: 150,
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: redundant-scope: HandleScope `getter` at FILE held no handle of its own in 150 of 150 uses
         scope: HandleScope `getter` at FILE
         saves: 150 opens and closes so far
        thread: worker-3
       isolate: 0xabc
          rule: redundant-scope=panic
          help: remove the scope, if what runs in it is never meant to make a handle
     backtrace: of the end of the isolate
"
        );
    }

    #[test]
    fn desync() {
        let finding = Finding::Desync {
            recorded: 3,
            level: 2,
            innermost: Place::here("on_read"),
        };
        assert_eq!(
            message(finding, None),
            "\
handleguard: desync: the engine counts 2 open scopes where handleguard's record has 3
      recorded: level 3, inside `on_read` at FILE
      engine's: level 2
        thread: worker-3
       isolate: 0xabc
          rule: desync=panic
          help: nobody is accused; a scope was closed that no guard saw close: drop each guard with its scope
     backtrace: of where it was noticed
"
        );
    }
}
