//! The text of a violation: what is the same for all rules.

use crate::describe::finding::Finding;
use crate::describe::lines::Lines;
use crate::describe::rule_text::Evidence;
use crate::describe::turn::TurnRef;
use crate::describe::violation::Violation;
use crate::place::{Location, Place, SourceLine};
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

/// The note of a violation whose callback or maker has a name and no line.
const NO_LINES: &str = "no line tables: a function that the compiler inlined is not named, but the one around it; build with \
                        `debug = \"line-tables-only\"`";

/// Whether symbols name the place and no line table does: its file is then a module, with the address in it.
fn lacks_line(place: Place) -> bool {
    matches!(place.location, Location::Line(SourceLine { file, line: 0 }) if file.contains("+0x"))
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
    let maker = finding.makers().iter().next().map(|maker| maker.place);
    if finding.callback().or(maker).is_some_and(lacks_line) {
        lines.line("note", NO_LINES)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::opener::Opener;
    use crate::describe::rules::missing_scope::MissingScope;
    use crate::tests::message;

    #[test]
    fn a_program_without_line_tables_is_asked_for_them() {
        let text = |file, line| {
            let finding = MissingScope {
                callback: *Place::interned("host::on_close", file, line),
                opener: Opener::Unrecorded,
                turn: None,
            };
            message(finding, file!())
        };
        let note = format!("          note: {NO_LINES}\n");
        assert!(text("host+0x1a2b", 0).contains(&note));
        assert!(!text("src/close.rs", 7).contains(&note));
        assert!(
            !text("close.c", 0).contains(&note),
            "the host has named the file"
        );
    }
}
