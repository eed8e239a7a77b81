//! The words of `out-of-order`.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText, explained};
use crate::describe::scope::{Numbered, ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

explained! {
r#"`out-of-order`: a scope closed while a scope or turn that began inside it was still open, or a scope closed that was not open.

Scopes form a stack. The close of a scope drops all handles that were created since it opened, those of the inner scopes too.

# Why it matters

Code inside the inner scope goes on with handles that are gone, and reads memory that was freed or reused. When the inner scope
closes later, it restores a stale position in the engine's stack of handles. A program that survives this leaks.

# Wrong

```
fn wrong(isolate: impl handleguard::LiveIsolate) {
    let outer = handleguard::scope(isolate, "outer");
    let inner = handleguard::scope(isolate, "inner");
    drop(outer);
    drop(inner);
}
```

# Right

```
fn right(isolate: impl handleguard::LiveIsolate) {
    let _outer = handleguard::scope(isolate, "outer");
    let _inner = handleguard::scope(isolate, "inner");
    // locals are dropped in reverse order
}
```

# How to silence it

Set `out-of-order=off` or `out-of-order=log` in `HANDLEGUARD`, or `addon:<file>=log` for the calls of one add-on. A scope that is
kept in a field, in a `Box` or across an `.await` closes when its owner is dropped; move it to a local variable instead.
"#
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub struct OutOfOrder {
        /// The scope that closes.
        pub closing: ScopeRef,
        /// The innermost scope or turn that began inside it and is still open.
        pub open: StillOpen,
        /// How many more scopes and turns are open between the two.
        pub between: usize,
    }
}

/// The remedy for code that is not asynchronous.
const REVERSE: &str = "close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field";

/// The remedy for asynchronous code.
const NOT_ACROSS: &str = "do not keep a scope across an `.await`, where other tasks open and close scopes of their own: close it before, \
                          and open another after it";

/// Whether a function is asynchronous, as far as its name shows.
enum Asynchronous {
    Yes,
    /// The compiler names the body of an `async` function or block as it names a closure.
    Perhaps,
    Unknown,
}

impl Asynchronous {
    fn of(place: Place) -> Self {
        match place.name {
            Some(name) if name.contains("{async_") => Self::Yes,
            Some(name) if name.ends_with("::{{closure}}") || name.contains("::{closure#") => {
                Self::Perhaps
            }
            _ => Self::Unknown,
        }
    }
}

/// What is still open inside a scope that closes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StillOpen {
    /// A scope.
    Scope(ScopeRef),
    /// A turn.
    Turn(TurnRef),
}

impl RuleText for OutOfOrder {
    fn rule(&self) -> Rule {
        Rule::OutOfOrder
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} closed while ", self.closing)?;
        match self.open {
            StillOpen::Scope(scope) => write!(f, "{scope}")?,
            StillOpen::Turn(turn) => write!(f, "{turn}")?,
        }
        f.write_str(", which began inside it, is still open")
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line("closing", Numbered(&self.closing))?;
        match &self.open {
            StillOpen::Scope(scope) => lines.line("still open", Numbered(scope))?,
            StillOpen::Turn(turn) => lines.line(
                "still open",
                format_args!("turn #{} {}", turn.number, turn.place),
            )?,
        }
        match self.between {
            0 => Ok(()),
            1 => lines.line("note", "1 more scope or turn is open between them"),
            more => lines.line(
                "note",
                format_args!("{more} more scopes or turns are open between them"),
            ),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        match Asynchronous::of(self.closing.place) {
            Asynchronous::Yes => f.write_str(NOT_ACROSS),
            Asynchronous::Perhaps => write!(
                f,
                "in an `async` function or block, {NOT_ACROSS}; elsewhere, {REVERSE} or a `Box`"
            ),
            Asynchronous::Unknown => write!(f, "{REVERSE}, in a `Box` or across an `.await`"),
        }
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the close")
    }

    fn opener(&self) -> Option<ScopeRef> {
        Some(self.closing)
    }

    fn turn(&self) -> Option<TurnRef> {
        match self.open {
            StillOpen::Turn(turn) => Some(turn),
            StillOpen::Scope(_) => None,
        }
    }

    fn shows_turn(&self) -> bool {
        false
    }

    /// The engine may have given back a block of handles that another scope still fills.
    fn is_urgent(&self) -> bool {
        true
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.closing.place);
        match &mut self.open {
            StillOpen::Scope(scope) => change(&mut scope.place),
            StillOpen::Turn(turn) => change(&mut turn.place),
        }
    }
}

/// `out-of-order`: a scope closed that was not open, as its guard records it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct ClosedTwice {
    /// The scope's number.
    pub number: u64,
}

impl RuleText for ClosedTwice {
    fn rule(&self) -> Rule {
        Rule::OutOfOrder
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scope #{} closed, but it is not open (closed twice, or its enclosing scope was closed first)",
            self.number
        )
    }

    fn details(&self, _: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        Ok(())
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str("close each scope exactly once: do not copy the object that owns it")
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the close")
    }

    /// The engine may have given back a block of handles that another scope still fills.
    fn is_urgent(&self) -> bool {
        true
    }

    fn map_places(&mut self, _: &mut dyn FnMut(&mut Place)) {}
}

/// `out-of-order`: the engine's scope object was destroyed, and it was not open, as a hook records it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct NotOpen {
    /// The kind of the scope object.
    pub kind: ScopeKind,
    /// Where it was destroyed.
    pub place: Place,
}

impl RuleText for NotOpen {
    fn rule(&self) -> Rule {
        Rule::OutOfOrder
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} destroyed by {} is not open (destroyed twice, at another address, or after its enclosing scope)",
            self.kind, self.place
        )
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        lines.line("destroyed", format_args!("{} by {}", self.kind, self.place))
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(
            "destroy each scope object exactly once, where it was constructed: do not copy or move it",
        )
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the close")
    }

    fn place(&self) -> Option<Place> {
        Some(self.place)
    }

    /// The engine may have given back a block of handles that another scope still fills.
    fn is_urgent(&self) -> bool {
        true
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{message, scope_ref};

    #[test]
    fn an_outer_scope_that_closes_first() {
        let finding = OutOfOrder {
            closing: scope_ref(1, Place::here("outer")),
            open: StillOpen::Scope(scope_ref(3, Place::here("inner"))),
            between: 1,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: out-of-order: HandleScope `outer` at FILE closed while HandleScope `inner` at FILE, which began inside it, is still open
       closing: HandleScope #1 `outer` at FILE
    still open: HandleScope #3 `inner` at FILE
          note: 1 more scope or turn is open between them
        thread: worker-3
       isolate: 0xabc
          rule: out-of-order=panic
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
"
        );
    }

    #[test]
    fn the_help_for_asynchronous_code_is_about_awaits() {
        let help = |name| {
            let finding = OutOfOrder {
                closing: scope_ref(1, Place::here(name)),
                open: StillOpen::Scope(scope_ref(2, Place::here(name))),
                between: 0,
            };
            let text = message(finding, file!());
            let help = text
                .lines()
                .find_map(|line| line.strip_prefix("          help: "));
            help.expect("a help").to_owned()
        };
        assert_eq!(
            help("app::task::{async_fn#0}"),
            "do not keep a scope across an `.await`, where other tasks open and close scopes of their own: close it before, and open \
             another after it"
        );
        for name in ["app::task::{{closure}}", "app::task::{closure#0}"] {
            assert_eq!(
                help(name),
                "in an `async` function or block, do not keep a scope across an `.await`, where other tasks open and close scopes of \
                 their own: close it before, and open another after it; elsewhere, close scopes in the reverse order of opening: keep \
                 each in a local variable of one block, not in a field or a `Box`"
            );
        }
    }

    #[test]
    fn a_scope_that_closes_twice() {
        assert_eq!(
            message(ClosedTwice { number: 7 }, file!()),
            "\
handleguard: out-of-order: scope #7 closed, but it is not open (closed twice, or its enclosing scope was closed first)
        thread: worker-3
       isolate: 0xabc
          rule: out-of-order=panic
          help: close each scope exactly once: do not copy the object that owns it
     backtrace (at the close):
"
        );
    }

    #[test]
    fn a_scope_object_that_is_destroyed_and_is_not_open() {
        let finding = NotOpen {
            kind: ScopeKind::TryCatch,
            place: Place::here("try_run"),
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: out-of-order: TryCatch destroyed by `try_run` at FILE is not open (destroyed twice, at another address, or after its enclosing scope)
     destroyed: TryCatch by `try_run` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: out-of-order=panic
          help: destroy each scope object exactly once, where it was constructed: do not copy or move it
     backtrace (at the close):
"
        );
    }
}
