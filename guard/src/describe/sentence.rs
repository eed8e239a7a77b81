//! The first line of a violation: the rule, and one sentence with both places.

use crate::detect::finding::{Finding, Opener};
use crate::finding::Beginning;
use crate::finding::Ended;
use crate::finding::Open;
use crate::finding::ScopeRef;
use crate::finding::TurnRef;
use std::fmt;

pub(crate) struct Sentence<'a>(pub(crate) &'a Finding);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.rule())?;
        match self.0 {
            Finding::MissingScope {
                callback,
                opener: Opener::Nothing,
                ..
            } => write!(f, "callback {callback} started with no HandleScope open"),
            Finding::MissingScope {
                callback,
                opener: Opener::Caller(caller),
                ..
            } => write!(
                f,
                "callback {callback} started with no HandleScope of its own; only that of its JavaScript caller, in callback \
                 {caller}, encloses it"
            ),
            Finding::MissingScope {
                callback,
                opener,
                turn,
            } => {
                let since = if turn.is_some() {
                    " since the turn began"
                } else {
                    ""
                };
                write!(
                    f,
                    "callback {callback} started with no HandleScope opened{since}; its handles stay in {}",
                    The(opener)
                )
            }
            Finding::OuterGrowth {
                ended,
                opener,
                turn,
                grown,
            } => {
                match ended {
                    Ended::Callback(callback) => write!(f, "callback {callback}")?,
                    _ => write!(f, "{}", Span(turn))?,
                }
                write!(f, " left {} in {}", Handles(*grown), The(opener))
            }
            Finding::OutOfOrder { closing, open, .. } => {
                write!(f, "{} closed while ", Opened(closing))?;
                match open {
                    Open::Scope(scope) => write!(f, "{}", Opened(scope))?,
                    Open::Turn(turn) => write!(f, "{}", Span(turn))?,
                }
                f.write_str(", which began inside it, is still open")
            }
            Finding::ClosedTwice { number } => {
                match number {
                    Some(number) => write!(f, "scope #{number}")?,
                    None => f.write_str("a scope")?,
                }
                f.write_str(
                    " closed, which is not open: closed twice, or after the scope around it",
                )
            }
            Finding::StorageReused { first, again } => write!(
                f,
                "a scope is constructed {again} in the memory of {}, which is still open and can close no more",
                Opened(first)
            ),
            Finding::NeverClosed { scope, ended, turn } => {
                match (ended, turn) {
                    (Ended::Turn, Some(turn)) => write!(f, "{} ended", Span(turn))?,
                    (Ended::Exit(place), _) => write!(f, "exit {place} leaves the isolate")?,
                    _ => f.write_str("isolate ended")?,
                }
                write!(f, " with {} still open", The(scope))
            }
            Finding::ScopeBudget {
                scope,
                held,
                budget,
            } => write!(
                f,
                "{} holds {} while still open, more than its budget of {budget}",
                Opened(scope),
                Handles(*held)
            ),
            Finding::WrongThread { beginning, place } => write!(
                f,
                "{beginning} {place} {} an isolate that this thread has not entered",
                verb(beginning)
            ),
            Finding::WrongIsolate {
                beginning, place, ..
            } => write!(
                f,
                "{beginning} {place} {} an isolate that is not the current one of this thread",
                verb(beginning)
            ),
            Finding::Sealed {
                opener: Opener::Nothing,
                ..
            } => f.write_str("a handle is made with no HandleScope open at all"),
            Finding::Sealed { opener, turn } => {
                match turn {
                    Some(turn) => write!(
                        f,
                        "a handle is made directly under {}, with no HandleScope opened since it began",
                        Span(turn)
                    )?,
                    None => f.write_str("a handle is made directly under a seal")?,
                }
                write!(f, "; it goes to {}", The(opener))
            }
            Finding::InGc {
                beginning,
                place,
                phase,
                marked,
            } => {
                write!(f, "{beginning} {place} begins inside ")?;
                match marked {
                    Some(marked) => write!(f, "{phase} {marked}"),
                    None => write!(f, "a garbage collection"),
                }
            }
            Finding::RedundantScope { kind, place, uses } => write!(
                f,
                "{kind} {place} held no handle of its own in {uses} of {uses} uses"
            ),
            Finding::Desync {
                recorded, level, ..
            } => write!(
                f,
                "the engine counts {level} open scopes where handleguard's record has {recorded}"
            ),
        }
    }
}

/// `the HandleScope `main` at file:line:column`.
struct The<'a>(&'a Opener);

impl fmt::Display for The<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Opener::Known(scope) => write!(f, "the {}", Opened(scope)),
            Opener::Unseen => f.write_str("a HandleScope opened out of handleguard's sight"),
            Opener::Nothing => f.write_str("no HandleScope"),
            Opener::Caller(caller) => write!(
                f,
                "the HandleScope of the JavaScript caller in callback {caller}"
            ),
        }
    }
}

/// `HandleScope `main` at file:line:column`.
pub(crate) struct Opened<'a>(pub(crate) &'a ScopeRef);

impl fmt::Display for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.kind, self.0.place)
    }
}

/// `1 handle`, `2 handles`.
pub(crate) struct Handles(pub(crate) u64);

impl fmt::Display for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} handle{plural}", self.0)
    }
}

/// ``turn `uv_run` at file:line:column``, or the phase of garbage collection in its place.
struct Span<'a>(&'a TurnRef);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.gc {
            Some(phase) => write!(f, "{phase} {}", self.0.place),
            None => write!(f, "turn {}", self.0.place),
        }
    }
}

fn verb(beginning: &Beginning) -> &'static str {
    match beginning {
        Beginning::Exit => "leaves",
        _ => "begins in",
    }
}
