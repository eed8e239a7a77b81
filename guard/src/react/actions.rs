//! The actions on a violation. No other file aborts, panics or logs.

use crate::config::action::Action;
use crate::describe::violation::Violation;
use crate::react::colour::Headline;
use crate::react::stderr;
use crate::react::stderr::RawStderr;
use std::fmt;
use tracing::Level;

/// The note of a violation on which `panic` aborts, because the engine's frames are on the stack.
pub(crate) const NO_UNWIND: &str = "aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them";

/// The note where the frames are those of an add-on or of a caller of the C interface.
pub(crate) const NO_UNWIND_FOREIGN: &str = "aborts because frames of another language are on the stack, and a panic must not unwind through them";

/// Logs a violation that occurs for the first time.
pub(crate) fn log(violation: &Violation) {
    if !tracing::dispatcher::has_been_set() {
        stderr::print(Headline(violation));
        return;
    }
    event(violation, violation.handles, 1, None);
}

/// Logs how often a known violation has occurred by now and how many handles it has left, with the names of its stack.
pub(crate) fn log_summary(violation: &Violation, handles: u64, count: u64) {
    event(violation, handles, count, Some(&violation.trace.folded()));
}

fn event(violation: &Violation, handles: u64, count: u64, stack: Option<&str>) {
    let finding = &violation.finding;
    tracing::event!(
        target: "handleguard",
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
    if !tracing::dispatcher::has_been_set() {
        stderr::print(format_args!("handleguard: {text}\n"));
    } else if level == Level::INFO {
        tracing::event!(target: "handleguard", Level::INFO, "{text}");
    } else {
        tracing::event!(target: "handleguard", Level::WARN, "{text}");
    }
}

/// Whether the action needs the whole violation at each occurrence, and not only at the first.
pub(crate) fn needs_full_report(action: Action) -> bool {
    matches!(action, Action::Panic | Action::Abort)
}
