//! The actions on a violation. No other file aborts, panics or logs.

use crate::config::action::Action;
use crate::describe::violation::Violation;
use crate::react::colour::Headline;
use crate::react::stderr;
use crate::react::stderr::RawStderr;
use crate::react::subscriber::{Lost, Subscriber};
use std::fmt;
use tracing::{Level, span};

/// The note of a violation on which `panic` aborts, because the engine's frames are on the stack.
pub(crate) const NO_UNWIND: &str = "aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them";

/// Stands before a report that the subscriber was to receive.
const SUBSCRIBER_PANICKED: &str =
    "handleguard: the subscriber to `tracing` panicked at this event:\n";

/// The note where the frames are those of an add-on or of a caller of the C interface.
pub(crate) const NO_UNWIND_FOREIGN: &str = "aborts because frames of another language are on the stack, and a panic must not unwind through them";

/// How often a violation has occurred, and how many handles it has left.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) handles: u64,
}

/// Logs a violation: as an event for `subscriber`, or to stderr if there is none. Names its stack, and is therefore slow.
pub(crate) fn log(violation: &Violation, tally: Tally, subscriber: &Subscriber) {
    let stack = violation.trace.folded();
    let received = subscriber.receive(|span| event(violation, tally, &stack, span));
    if let Err(lost) = received {
        if lost == Lost::Panicked {
            stderr::print_patiently(SUBSCRIBER_PANICKED);
        }
        stderr::print_patiently(Headline(violation));
    }
}

/// Logs violations that have occurred again, as an event each for `subscriber`.
///
/// # Errors
///
/// Returns why the subscriber did not receive one of them.
pub(crate) fn log_again<'a>(
    violations: impl IntoIterator<Item = (&'a Violation, Tally)>,
    subscriber: &Subscriber,
) -> Result<(), Lost> {
    for (violation, tally) in violations {
        let stack = violation.trace.folded();
        // These are not the work of the span that the subscriber was found in.
        subscriber.receive(|_| event(violation, tally, &stack, None))?;
    }
    Ok(())
}

fn event(violation: &Violation, tally: Tally, stack: &str, span: Option<span::Id>) {
    let Tally { count, handles } = tally;
    let finding = &violation.finding;
    tracing::event!(
        target: "handleguard",
        parent: span,
        Level::ERROR,
        rule = finding.rule().name(),
        callback = finding.callback().map(tracing::field::display),
        callee = violation.callee(),
        opener = finding.opener().map(|scope| tracing::field::display(scope.place)),
        location = finding.place().map(|place| tracing::field::display(place.location)),
        thread = violation.thread(),
        isolate = %violation.isolate,
        handles,
        count,
        stack,
        "{}",
        violation.sentence()
    );
}

/// Panics with the whole message. If the thread is already panicking, prints the message and returns.
pub(crate) fn panic(violation: &Violation) {
    if std::thread::panicking() {
        stderr::print(format_args!(
            "{violation}handleguard: note: no second panic, because this thread is already panicking\n"
        ));
        return;
    }
    std::panic::panic_any(violation.to_string());
}

/// Writes the whole message to stderr, and ends the process by SIGABRT.
pub(crate) fn abort(violation: &Violation) -> ! {
    print(violation);
    std::process::abort()
}

/// Writes the whole message to stderr: the sentence and both places first, because naming the stack reads files and allocates,
/// and may fail in a process that is in trouble.
pub(crate) fn print(violation: &Violation) {
    let mut stderr = RawStderr::new();
    stderr.print(Headline(format_args!(
        "handleguard: {}\n{}",
        violation.sentence(),
        violation.details()
    )));
    stderr.print(violation.trace());
}

/// Ends a process whose configuration requires every hook, with the reason why one did not take effect.
pub(crate) fn exit_without_hooks(why: &str) -> ! {
    stderr::print(format_args!("handleguard: require-hooks: {why}\n"));
    std::process::exit(2)
}

/// Logs one line for the operator that is not a violation: the start-up line, a hint, a wrong configuration.
pub(crate) fn notice(level: Level, text: impl fmt::Display) {
    notice_to(&Subscriber::current(), level, text);
}

/// As [`notice`], for that subscriber.
pub(crate) fn notice_to(subscriber: &Subscriber, level: Level, text: impl fmt::Display) {
    let received = subscriber.receive(|span| {
        if level == Level::INFO {
            tracing::event!(target: "handleguard", parent: span, Level::INFO, "{text}");
        } else {
            tracing::event!(target: "handleguard", parent: span, Level::WARN, "{text}");
        }
    });
    if received.is_err() {
        stderr::print(format_args!("handleguard: {text}\n"));
    }
}

/// Whether the action needs the whole violation at each occurrence, and not only at the first.
pub(crate) fn needs_full_report(action: Action) -> bool {
    matches!(action, Action::Panic | Action::Abort)
}
