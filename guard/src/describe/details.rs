//! The labelled lines of a violation, between its first line and its stack.

use crate::describe::help::Help;
use crate::describe::sentence::Handles;
use crate::describe::violation::Violation;
use crate::detect::finding::{Beginning, Ended, Finding, Open, Opener, ScopeRef, TurnRef};
use std::fmt;

/// The number, kind and age of a scope, for a labelled line.
struct Numbered<'a>(&'a ScopeRef);

impl fmt::Display for Numbered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScopeRef {
            number,
            kind,
            place,
            turns_ago,
        } = self.0;
        write!(f, "{kind} #{number} {place}")?;
        match turns_ago {
            0 => Ok(()),
            1 => f.write_str(", opened 1 turn ago"),
            n => write!(f, ", opened {n} turns ago"),
        }
    }
}

pub(crate) struct Details<'a>(pub(crate) &'a Violation);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, value: fmt::Arguments<'_>| writeln!(f, "{label:>14}: {value}");
        let violation = self.0;
        let finding = &violation.finding;
        let scope_line = |opener: &Opener,
                          line: &mut dyn FnMut(&str, fmt::Arguments<'_>) -> fmt::Result,
                          label| match opener {
            Opener::Known(scope) => match violation.alive {
                Some(alive) => line(
                    label,
                    format_args!("{}; {} alive now", Numbered(scope), Handles(alive)),
                ),
                None => line(label, format_args!("{}", Numbered(scope))),
            },
            Opener::Unseen => line(
                label,
                format_args!("a HandleScope opened without a guard of handleguard"),
            ),
            Opener::Nothing => line(
                label,
                format_args!("nothing: no HandleScope is open that handleguard can see"),
            ),
            Opener::Caller(caller) => line(
                "hidden by",
                format_args!(
                    "the scope that the engine opened for a JavaScript caller, in callback {caller}"
                ),
            ),
        };
        match finding {
            Finding::MissingScope {
                callback, opener, ..
            } => {
                line("callback", format_args!("{callback}"))?;
                if let Some(callee) = &violation.callee {
                    line("calls", format_args!("{callee}"))?;
                }
                scope_line(opener, &mut line, "swallowed by")?;
            }
            Finding::OuterGrowth { ended, opener, .. } => {
                if let Ended::Callback(callback) = ended {
                    line("callback", format_args!("{callback}"))?;
                }
                scope_line(opener, &mut line, "swallowed by")?;
            }
            Finding::OutOfOrder {
                closing,
                open,
                between,
            } => {
                line("closing", format_args!("{}", Numbered(closing)))?;
                match open {
                    Open::Scope(scope) => line("still open", format_args!("{}", Numbered(scope)))?,
                    Open::Turn(turn) => line(
                        "still open",
                        format_args!("turn #{} {}", turn.number, turn.place),
                    )?,
                }
                if *between > 0 {
                    line("note", format_args!("{between} more in between"))?;
                }
            }
            Finding::ClosedTwice { .. } => {}
            Finding::StorageReused { first, again } => {
                line("constructed", format_args!("{again}"))?;
                line("still open", format_args!("{}", Numbered(first)))?;
            }
            Finding::ScopeBudget { scope, .. } => {
                line("scope", format_args!("{}", Numbered(scope)))?;
            }
            Finding::WrongThread { beginning, place } => {
                line(verb(beginning), format_args!("{beginning} {place}"))?;
                if let Some(owner) = &violation.owner {
                    line("used before", format_args!("by {owner}"))?;
                }
            }
            Finding::WrongIsolate {
                beginning,
                place,
                entered,
            } => {
                line(verb(beginning), format_args!("{beginning} {place}"))?;
                line("current", format_args!("isolate {entered}"))?;
            }
            Finding::NeverClosed { scope, ended, .. } => {
                scope_line(scope, &mut line, "still open")?;
                if let Ended::Exit(place) = ended {
                    line("exit", format_args!("{place}"))?;
                }
            }
            Finding::Sealed { opener, .. } => scope_line(opener, &mut line, "goes to")?,
            Finding::InGc {
                beginning,
                place,
                phase,
                marked,
            } => {
                line("begins", format_args!("{beginning} {place}"))?;
                match marked {
                    Some(marked) => line("inside", format_args!("{phase} {marked}"))?,
                    None => line("inside", format_args!("a garbage collection of the engine"))?,
                }
            }
            Finding::RedundantScope { kind, place, uses } => {
                line("scope", format_args!("{kind} {place}"))?;
                line("saves", format_args!("{uses} opens and closes so far"))?;
            }
            Finding::Desync {
                recorded,
                level,
                innermost,
            } => {
                line(
                    "recorded",
                    format_args!("level {recorded}, inside {innermost}"),
                )?;
                line("engine's", format_args!("level {level}"))?;
            }
        }
        match finding {
            Finding::OutOfOrder { .. } => {}
            _ => match finding.turn() {
                Some(TurnRef {
                    place,
                    gc: Some(phase),
                    ..
                }) => line("inside", format_args!("{phase} {place}"))?,
                Some(turn) => line("turn", format_args!("#{} {}", turn.number, turn.place))?,
                None => {}
            },
        }
        line("thread", format_args!("{}", violation.thread))?;
        line("isolate", format_args!("{}", violation.isolate))?;
        let (rule, action) = (finding.rule(), violation.configured);
        match violation.policy {
            Some(file) => line(
                "rule",
                format_args!("{rule}={action}, by addon:{file}={action}"),
            )?,
            None => line("rule", format_args!("{rule}={action}"))?,
        }
        if let Finding::MissingScope {
            opener: Opener::Caller(_),
            ..
        } = finding
        {
            line(
                "note",
                format_args!(
                    "strict: judged as if it had come straight from the loop, where nothing would enclose it"
                ),
            )?;
        }
        if let Some(note) = violation.note {
            line("note", format_args!("{} {note}", violation.configured))?;
        }
        line("help", format_args!("{}", Help(finding, violation.dialect)))?;
        line("backtrace", format_args!("{}", of_what(finding)))
    }
}

fn verb(beginning: &Beginning) -> &'static str {
    match beginning {
        Beginning::Exit => "leaves",
        _ => "begins",
    }
}

/// The moment that the stack is of.
fn of_what(finding: &Finding) -> &'static str {
    match finding {
        Finding::MissingScope { .. } => "of the callback",
        Finding::OuterGrowth {
            ended: Ended::Callback(_),
            ..
        } => "of the end of the callback",
        Finding::OutOfOrder { .. } | Finding::ClosedTwice { .. } => "of the close",
        Finding::StorageReused { .. } => "of the second construction",
        Finding::ScopeBudget { .. } => "of where it was found over",
        Finding::Sealed { .. } => "of the handle",
        Finding::WrongThread {
            beginning: Beginning::Exit,
            ..
        }
        | Finding::WrongIsolate {
            beginning: Beginning::Exit,
            ..
        }
        | Finding::NeverClosed {
            ended: Ended::Exit(_),
            ..
        } => "of the exit",
        Finding::WrongThread { .. } | Finding::WrongIsolate { .. } | Finding::InGc { .. } => {
            "of the beginning"
        }
        Finding::OuterGrowth { turn, .. }
        | Finding::NeverClosed {
            turn: Some(turn), ..
        } => match turn.gc {
            Some(_) => "of its end",
            None => "of the end of the turn",
        },
        Finding::NeverClosed { .. } | Finding::RedundantScope { .. } => "of the end of the isolate",
        Finding::Desync { .. } => "of where it was noticed",
    }
}
