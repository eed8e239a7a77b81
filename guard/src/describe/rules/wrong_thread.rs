//! The words of `wrong-thread`.

use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`wrong-thread`: a scope, callback or turn of an isolate began, or the isolate was left, on a thread that has not entered it.

An isolate belongs to one thread at a time: the thread that entered it last and has not left it. The engine's own threads have not
entered it: what the engine calls there, such as the deleter of a buffer that it frees, must not use the isolate.

# Why it matters

The engine keeps its scopes and handles per isolate, without a lock. Two threads that use one isolate overwrite each other's
handles, and the crash comes later, in the garbage collector.

# Wrong

```
fn reply_from_a_worker(isolate: impl handleguard::LiveIsolate + Send + 'static) {
    std::thread::spawn(move || {
        let _turn = handleguard::turn(isolate, "reply"); // the isolate is still entered on the first thread
    });
}
```

# Right

```
fn reply_from_a_worker(isolate: impl handleguard::LiveIsolate + Send + 'static) {
    let (to_the_loop, replies) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || to_the_loop.send(42));
    for _reply in replies {
        let _turn = handleguard::turn(isolate, "reply"); // on the thread of the isolate
    }
    let _ = worker.join();
}
```

# How to silence it

Set `wrong-thread=off` or `wrong-thread=log` in `HANDLEGUARD`. A program that moves an isolate between threads is right if each
thread enters the isolate before it uses it and leaves it afterwards.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct WrongThread {
        /// What begins, or that the thread leaves the isolate.
        pub beginning: Beginning,
        /// Where.
        pub place: Place,
        /// The engine runs the code on a thread that does work of the engine's own.
        pub by_engine: bool,
    }
}

impl RuleText for WrongThread {
    fn rule(&self) -> Rule {
        Rule::WrongThread
    }

    fn is_urgent(&self) -> bool {
        true
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            beginning, place, ..
        } = self;
        let verb = beginning.verb();
        write!(
            f,
            "{beginning} {place} {verb} an isolate that this thread has not entered"
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result {
        let Self {
            beginning, place, ..
        } = self;
        lines.line(beginning.label(), format_args!("{beginning} {place}"))?;
        if self.by_engine {
            lines.line(
                "note",
                "the engine runs this code in work of its own, such as freeing what a collection found dead",
            )?;
        }
        match evidence.first_user {
            Some(user) => lines.line("used before", format_args!("by {user}")),
            None => Ok(()),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        match self.beginning {
            Beginning::Exit => {
                f.write_str("leave an isolate only as often as this thread has entered it")
            }
            _ if self.by_engine => f.write_str(
                "note here only what is to be done, and do it in a task of the isolate's own thread",
            ),
            _ => write!(
                f,
                "enter the isolate on this thread first, after the other thread has left it: `{}`",
                wording.enter_isolate
            ),
        }
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::scope::ScopeKind;
    use crate::tests::message;

    #[test]
    fn a_turn_on_the_wrong_thread() {
        let finding = WrongThread {
            beginning: Beginning::Turn,
            place: Place::here("request"),
            by_engine: false,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: wrong-thread: turn `request` at FILE begins in an isolate that this thread has not entered
        begins: turn `request` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: wrong-thread=panic
          help: enter the isolate on this thread first, after the other thread has left it: `arena.enter();`
     backtrace (at the start of the turn):
"
        );
    }

    #[test]
    fn an_exit_on_the_wrong_thread() {
        let finding = WrongThread {
            beginning: Beginning::Exit,
            place: Place::here("leave"),
            by_engine: false,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: wrong-thread: exit `leave` at FILE leaves an isolate that this thread has not entered
        leaves: exit `leave` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: wrong-thread=panic
          help: leave an isolate only as often as this thread has entered it
     backtrace (at the exit):
"
        );
    }

    #[test]
    fn a_scope_in_work_of_the_engines_own() {
        let finding = WrongThread {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("store_freed"),
            by_engine: true,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: wrong-thread: HandleScope `store_freed` at FILE begins in an isolate that this thread has not entered
        begins: HandleScope `store_freed` at FILE
          note: the engine runs this code in work of its own, such as freeing what a collection found dead
        thread: worker-3
       isolate: 0xabc
          rule: wrong-thread=panic
          help: note here only what is to be done, and do it in a task of the isolate's own thread
     backtrace (at the opening of the scope):
"
        );
    }
}
