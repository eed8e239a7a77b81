use crate::finding::{Ended, Finding, Open, Opener, ScopeRef};
use crate::trace::Trace;
use crate::{Action, Dialect, IsolateId, Rule};
use std::fmt;

/// One occurrence of a violated rule: what was found, where, and by which stack.
///
/// [`Display`](fmt::Display) is the whole message; [`sentence`](Self::sentence) its first line. Both are the same in
/// abort, panic and log.
#[derive(Clone, Debug)]
pub struct Violation {
    pub(crate) finding: Finding,
    /// The rule's action as configured, and why another one was taken, if so.
    pub(crate) configured: Action,
    pub(crate) note: Option<&'static str>,
    pub(crate) thread: String,
    pub(crate) isolate: IsolateId,
    pub(crate) callee: Option<String>,
    /// Who used the isolate first, where another thread did.
    pub(crate) owner: Option<String>,
    pub(crate) handles: u64,
    pub(crate) trace: Trace,
    pub(crate) dialect: &'static Dialect,
}

impl Violation {
    /// The rule that was violated.
    pub fn rule(&self) -> Rule {
        self.finding.rule()
    }

    /// What was found, as data.
    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    /// Name of the thread; `<unnamed>` where it has none.
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The isolate.
    pub fn isolate(&self) -> IsolateId {
        self.isolate
    }

    /// The JavaScript function that was called, with its script and line, where known.
    pub fn callee(&self) -> Option<&str> {
        self.callee.as_deref()
    }

    /// Handles that it left in the outer scope, as far as counted yet.
    pub fn handles(&self) -> u64 {
        self.handles
    }

    /// The native stack.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

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

struct Sentence<'a>(&'a Finding);

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
                    Ended::Turn | Ended::Isolate => write!(f, "turn {}", turn.place)?,
                }
                write!(f, " left {} in {}", Handles(*grown), The(opener))
            }
            Finding::OutOfOrder { closing, open, .. } => {
                write!(f, "{} closed while ", Opened(closing))?;
                match open {
                    Open::Scope(scope) => write!(f, "{}", Opened(scope))?,
                    Open::Turn(turn) => write!(f, "turn {}", turn.place)?,
                }
                f.write_str(", which began inside it, is still open")
            }
            Finding::ClosedTwice { number } => {
                write!(
                    f,
                    "scope #{number} closed, which is not open: closed twice, or after the scope around it"
                )
            }
            Finding::NeverClosed { scope, ended, turn } => {
                match (ended, turn) {
                    (Ended::Turn, Some(turn)) => write!(f, "turn {} ended", turn.place)?,
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
                "{beginning} {place} begins in an isolate that this thread has not entered"
            ),
            Finding::WrongIsolate {
                beginning, place, ..
            } => write!(
                f,
                "{beginning} {place} begins in an isolate that is not the current one of this thread"
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
struct Opened<'a>(&'a ScopeRef);

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

struct Details<'a>(&'a Violation);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, value: fmt::Arguments<'_>| writeln!(f, "{label:>14}: {value}");
        let violation = self.0;
        let finding = &violation.finding;
        let scope_line = |opener: &Opener,
                          line: &mut dyn FnMut(&str, fmt::Arguments<'_>) -> fmt::Result,
                          label| match opener {
            Opener::Known(scope) => line(label, format_args!("{}", Numbered(scope))),
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
            Finding::ScopeBudget { scope, .. } => {
                line("scope", format_args!("{}", Numbered(scope)))?;
            }
            Finding::WrongThread { beginning, place } => {
                line("begins", format_args!("{beginning} {place}"))?;
                if let Some(owner) = &violation.owner {
                    line("used before", format_args!("by {owner}"))?;
                }
            }
            Finding::WrongIsolate {
                beginning,
                place,
                entered,
            } => {
                line("begins", format_args!("{beginning} {place}"))?;
                line("current", format_args!("isolate {entered}"))?;
            }
            Finding::NeverClosed { scope, .. } => scope_line(scope, &mut line, "still open")?,
        }
        match finding {
            Finding::OutOfOrder { .. } => {}
            _ => {
                if let Some(turn) = finding.turn() {
                    line("turn", format_args!("#{} {}", turn.number, turn.place))?;
                }
            }
        }
        line("thread", format_args!("{}", violation.thread))?;
        line("isolate", format_args!("{}", violation.isolate))?;
        line(
            "rule",
            format_args!("{}={}", finding.rule(), violation.configured),
        )?;
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
        let open_scope = violation.dialect.open_scope;
        match finding {
            Finding::MissingScope { callback, .. } => match callback.name {
                Some(name) => line(
                    "help",
                    format_args!("open a scope on entry to `{name}`: `{open_scope}`"),
                )?,
                None => line(
                    "help",
                    format_args!("open a scope before the call: `{open_scope}`"),
                )?,
            },
            Finding::OuterGrowth { .. } => line(
                "help",
                format_args!(
                    "open a scope before the first handle is made, and escape none that nobody uses: `{open_scope}`"
                ),
            )?,
            Finding::OutOfOrder { .. } => line(
                "help",
                format_args!(
                    "close scopes in the reverse order of opening: keep each as a local of one block, not in a field or a `Box`"
                ),
            )?,
            Finding::ClosedTwice { .. } => line(
                "help",
                format_args!("close each scope once: do not copy what owns it"),
            )?,
            Finding::ScopeBudget { .. } => line(
                "help",
                format_args!(
                    "open a scope for each round of the loop that makes them: `{open_scope}`"
                ),
            )?,
            Finding::WrongThread { .. } => line(
                "help",
                format_args!(
                    "enter the isolate on this thread first, once the other has left it (`Isolate::enter`, `exit`)"
                ),
            )?,
            Finding::WrongIsolate { .. } => line(
                "help",
                format_args!(
                    "enter the isolate first, and leave it before the other goes on (`Isolate::enter`, `exit`)"
                ),
            )?,
            Finding::NeverClosed { .. } => line(
                "help",
                format_args!(
                    "let the scope end with its block: no `mem::forget`, and no way out that skips its close"
                ),
            )?,
        }
        line(
            "backtrace",
            format_args!(
                "{}",
                match finding {
                    Finding::MissingScope { .. } => "of the callback",
                    Finding::OuterGrowth {
                        ended: Ended::Callback(_),
                        ..
                    } => "of the end of the callback",
                    Finding::OuterGrowth { .. } => "of the end of the turn",
                    Finding::OutOfOrder { .. } | Finding::ClosedTwice { .. } => "of the close",
                    Finding::ScopeBudget { .. } => "of where it was found over",
                    Finding::WrongThread { .. } | Finding::WrongIsolate { .. } =>
                        "of the beginning",
                    Finding::NeverClosed { turn: Some(_), .. } => "of the end of the turn",
                    Finding::NeverClosed { .. } => "of the end of the isolate",
                }
            ),
        )
    }
}

/// What no guard can be made to violate; all else is in `tests/messages.rs`.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;
    use crate::finding::{Beginning, ScopeKind, TurnRef};

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
            message(Finding::ClosedTwice { number: 7 }, None),
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
          help: open a scope for each round of the loop that makes them: `let _scope = arena.scope();`
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
            },
            grown: 2,
        };
        assert_eq!(
            message(finding, Some(crate::react::NO_UNWIND)),
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
}
