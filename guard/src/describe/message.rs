//! The text of a violation: what is the same for all rules.

use crate::describe::finding::Finding;
use crate::describe::lines::Lines;
use crate::describe::rule_text::Evidence;
use crate::describe::turn::TurnRef;
use crate::describe::violation::Violation;
use std::fmt;

impl Violation {
    /// The first line without the leading `handleguard: `: the rule, and one sentence with both places.
    pub fn sentence(&self) -> impl fmt::Display + '_ {
        &self.finding
    }

    /// The labelled lines, from both places to the caption of the backtrace. Does not allocate.
    pub(crate) fn details(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| write_details(self, &mut Lines(f)))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "handleguard: {}", self.sentence())?;
        write!(f, "{}{}", self.details(), self.trace)
    }
}

fn write_details(violation: &Violation, lines: &mut Lines<'_, '_>) -> fmt::Result {
    let finding: &Finding = &violation.finding;
    let text = finding.text();
    text.details(
        lines,
        &Evidence {
            callee: violation.callee.as_deref(),
            first_user: violation.first_user.as_ref(),
            alive: violation.alive,
        },
    )?;
    match text.turn().filter(|_| text.shows_turn()) {
        Some(turn @ TurnRef { gc: Some(_), .. }) => lines.line("inside", turn)?,
        Some(turn) => lines.line("turn", format_args!("#{} {}", turn.number, turn.place))?,
        None => {}
    }
    lines.line("thread", &violation.thread)?;
    lines.line("isolate", violation.isolate)?;
    let (rule, action) = (text.rule(), violation.configured);
    match violation.policy {
        Some(file) => lines.line(
            "rule",
            format_args!("{rule}={action}, by addon:{file}={action}"),
        )?,
        None => lines.line("rule", format_args!("{rule}={action}"))?,
    }
    if let Some(note) = text.note() {
        lines.line("note", note)?;
    }
    if let Some(note) = violation.note {
        lines.line("note", format_args!("{action} {note}"))?;
    }
    lines.line("help", fmt::from_fn(|f| text.help(f, violation.wording)))?;
    lines.heading("backtrace", fmt::from_fn(|f| text.caption(f)))
}
