//! The words of `never-closed` for a context that was not left, and for the other siblings of a handle scope.

use crate::config::rule::Rule;
use crate::describe::lines::Lines;
use crate::describe::rule_text::{Evidence, RuleText};
use crate::describe::sibling::Sibling;
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

/// `never-closed`: a turn or an isolate ended, and a context that was entered in it was not left, or a scope that allows or forbids
/// JavaScript was not destroyed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct NotLeft {
    /// What was not left.
    pub what: Sibling,
    /// Where it was entered.
    pub place: Place,
    /// The turn that ended; `None` where the isolate ended.
    pub turn: Option<TurnRef>,
    /// How many more were entered after it and not left.
    pub more: usize,
}

impl RuleText for NotLeft {
    fn rule(&self) -> Rule {
        Rule::NeverClosed
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.turn {
            Some(turn) => write!(f, "{turn} ended")?,
            None => f.write_str("isolate ended")?,
        }
        let Self { what, place, .. } = self;
        let (begun, ended) = (what.begun(), what.ended());
        write!(f, ", and the {what} {begun} by {place} was not {ended}")
    }

    fn details(&self, lines: &mut Lines<'_, '_>, _: &Evidence<'_>) -> fmt::Result {
        let Self { what, place, .. } = self;
        lines.line(what.begun(), format_args!("{what} by {place}"))?;
        match self.more {
            0 => Ok(()),
            1 => lines.line("note", "1 more context or scope was not left"),
            more => lines.line(
                "note",
                format_args!("{more} more contexts or scopes were not left"),
            ),
        }
    }

    fn help(&self, f: &mut fmt::Formatter<'_>, _: &Wording) -> fmt::Result {
        f.write_str(match self.what {
            Sibling::Context => {
                "let the `ContextScope` end with its block: do not `mem::forget` it, and leave the context on every path out"
            }
            _ => {
                "let the scope end with its block: do not `mem::forget` it, and destroy it on every path out"
            }
        })
    }

    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.turn {
            Some(turn) => write!(f, "at the end of the {}", turn.kind()),
            None => f.write_str("at the end of the isolate"),
        }
    }

    fn turn(&self) -> Option<TurnRef> {
        self.turn
    }

    fn place(&self) -> Option<Place> {
        Some(self.place)
    }

    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        change(&mut self.place);
        if let Some(turn) = &mut self.turn {
            change(&mut turn.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::message;

    fn turn() -> TurnRef {
        TurnRef {
            number: 3,
            place: Place::here("request"),
            gc: None,
        }
    }

    #[test]
    fn a_context_that_was_not_left() {
        let finding = NotLeft {
            what: Sibling::Context,
            place: Place::here("on_request"),
            turn: Some(turn()),
            more: 1,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: never-closed: turn `request` at FILE ended, and the context entered by `on_request` at FILE was not left
       entered: context by `on_request` at FILE
          note: 1 more context or scope was not left
          turn: #3 `request` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: let the `ContextScope` end with its block: do not `mem::forget` it, and leave the context on every path out
     backtrace (at the end of the turn):
"
        );
    }

    #[test]
    fn a_scope_that_forbids_javascript_and_was_not_destroyed() {
        let finding = NotLeft {
            what: Sibling::DisallowJavascriptExecutionScope,
            place: Place::here("serialise"),
            turn: None,
            more: 0,
        };
        assert_eq!(
            message(finding, file!()),
            "\
handleguard: never-closed: isolate ended, and the DisallowJavascriptExecutionScope constructed by `serialise` at FILE was not destroyed
   constructed: DisallowJavascriptExecutionScope by `serialise` at FILE
        thread: worker-3
       isolate: 0xabc
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and destroy it on every path out
     backtrace (at the end of the isolate):
"
        );
    }
}
