//! The words of `wrong-isolate`.

use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::engine::ids::IsolateId;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`wrong-isolate`: a scope, callback or turn of one isolate began, or an isolate was left, while another isolate was current.

Of the isolates that a thread has entered, the last one is current. Code that takes no isolate as an argument means the current
one.

# Why it matters

A handle of one isolate that is used in another refers to a different heap. The program reads memory that has nothing to do with
the object, or corrupts the other isolate, and crashes later.

# Wrong

```
fn ask_both(first: impl handleguard::LiveIsolate, second: impl handleguard::LiveIsolate) {
    let _scope = handleguard::scope(first, "ask");
    let _callback = handleguard::callback(second, "ask"); // `first` is current
}
```

# Right

```
fn ask_both(first: impl handleguard::LiveIsolate, second: impl handleguard::LiveIsolate) {
    {
        let _scope = handleguard::scope(first, "ask");
        let _callback = handleguard::callback(first, "ask");
    }
    // Enter the second isolate here, and leave it after the block.
    {
        let _scope = handleguard::scope(second, "ask");
        let _callback = handleguard::callback(second, "ask");
    }
}
```

# How to silence it

Set `wrong-isolate=off` or `wrong-isolate=log` in `HANDLEGUARD`.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct WrongIsolate {
        /// What begins, or that the thread leaves the isolate.
        pub beginning: Beginning,
        /// Where.
        pub place: Place,
        /// The isolate that is current.
        pub entered: IsolateId,
    }
}

impl RuleText for WrongIsolate {
    fn rule(&self) -> Rule {
        Rule::WrongIsolate
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
            "{beginning} {place} {verb} an isolate that is not the current one of this thread"
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        let Self {
            beginning,
            place,
            entered,
        } = self;
        lines.line(beginning.label(), format_args!("{beginning} {place}"))?;
        lines.line("current", format_args!("isolate {entered}"))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result {
        match self.beginning {
            Beginning::Exit => f.write_str("leave isolates in the reverse order of entering them"),
            _ => write!(
                f,
                "enter the isolate first, and leave it before the other isolate is used again: `{}`",
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
    fn a_scope_in_the_wrong_isolate() {
        let finding = WrongIsolate {
            beginning: Beginning::Scope(ScopeKind::HandleScope),
            place: Place::here("on_close"),
            entered: IsolateId(0xdef),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: wrong-isolate: HandleScope `on_close` at FILE begins in an isolate that is not the current one of this thread
        begins: HandleScope `on_close` at FILE
       current: isolate 0xdef
        thread: worker-3
       isolate: 0xabc
          rule: wrong-isolate=panic
          help: enter the isolate first, and leave it before the other isolate is used again: `arena.enter();`
     backtrace (at the opening of the scope):
"
        );
    }

    #[test]
    fn an_exit_in_the_wrong_order() {
        let finding = WrongIsolate {
            beginning: Beginning::Exit,
            place: Place::here("leave"),
            entered: IsolateId(0xdef),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: wrong-isolate: exit `leave` at FILE leaves an isolate that is not the current one of this thread
        leaves: exit `leave` at FILE
       current: isolate 0xdef
        thread: worker-3
       isolate: 0xabc
          rule: wrong-isolate=panic
          help: leave isolates in the reverse order of entering them
     backtrace (at the exit):
"
        );
    }
}
