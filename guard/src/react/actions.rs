//! What is done about a violation: the only place that aborts, panics or logs.

use crate::config::action::Action;
use crate::describe::violation::Violation;
use crate::react::colour::Headline;
use crate::react::stderr;
use crate::react::stderr::RawStderr;
use crate::record::report::Site;
use std::fmt;
use tracing::Level;

/// Why `panic` does not panic, where it does not.
pub(crate) const NO_UNWIND: &str = "aborts, for the engine's C++ frames are on the stack, and a panic must not unwind through them";

/// The same, where it is not the engine that is in between: an add-on, or a caller of the C interface.
pub(crate) const NO_UNWIND_FOREIGN: &str = "aborts, for frames of another language are on the stack, and a panic must not unwind through them";

/// Logs the first occurrence of a site.
pub(crate) fn log(violation: &Violation) {
    if !tracing::dispatcher::has_been_set() {
        stderr::print(Headline(violation));
        return;
    }
    event(violation, violation.handles, 1, None);
}

/// Logs what a site gathered since the last tick, with its stack named.
pub(crate) fn log_summary(site: &Site) {
    event(
        &site.violation,
        site.handles,
        site.count,
        Some(&site.violation.trace.folded()),
    );
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

/// Panics with the whole message. Prints it instead where the thread is panicking already.
pub(crate) fn panic(violation: &Violation) {
    if std::thread::panicking() {
        stderr::print(format_args!(
            "{violation}handleguard: note: not a panic of its own, for this thread is panicking already\n"
        ));
        return;
    }
    std::panic::panic_any(violation.to_string());
}

/// Writes the whole message to stderr and ends the process by SIGABRT.
pub(crate) fn abort(violation: &Violation) -> ! {
    print(violation);
    std::process::abort()
}

/// Writes the whole message to stderr. The sentence and both places are out before the stack is named, which reads files and
/// allocates.
pub(crate) fn print(violation: &Violation) {
    let mut stderr = RawStderr::new();
    stderr.print(Headline(format_args!(
        "handleguard: {}\n{}",
        violation.sentence(),
        violation.details()
    )));
    stderr.print(violation.trace());
}

/// Ends a process that was told to run only with every hook.
pub(crate) fn exit_without_hooks(why: &str) -> ! {
    stderr::print(format_args!("handleguard: require-hooks: {why}\n"));
    std::process::exit(2)
}

/// A line to the operator that is no violation: the start, a hint, a wrong configuration.
pub(crate) fn notice(level: Level, text: impl fmt::Display) {
    if !tracing::dispatcher::has_been_set() {
        stderr::print(format_args!("handleguard: {text}\n"));
    } else if level == Level::INFO {
        tracing::event!(target: "handleguard", Level::INFO, "{text}");
    } else {
        tracing::event!(target: "handleguard", Level::WARN, "{text}");
    }
}

/// Whether that action needs the violation itself each time, and not only at a new site.
pub(crate) fn needs_full_report(action: Action) -> bool {
    matches!(action, Action::Panic | Action::Abort)
}
