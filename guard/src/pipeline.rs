//! The way of a violation, and the file to read first: detect, describe, record, react.
//!
//! ```text
//!   a guard or hook   asks the scope stack, which returns a `Finding`      detect/
//!     -> violated     asks the configuration for the action of the rule    config/
//!        -> describe  captures the stack, asks the isolate: a `Violation`  describe/, unwind/
//!        -> record    counts it at its site; only a new site is described  record/
//!        -> react     aborts or panics; or wakes the thread that logs      react/, process/reporter.rs
//! ```
//!
//! A site that is known is only counted, so [`record`] takes `describe` as a closure and calls it for a new site alone. With the
//! action `log`, this thread goes on at once: to name places and stack reads the program's symbols, and to write may block, so
//! the checker's own thread does both. The actions `panic` and `abort` need the whole text each time, on this thread; a test
//! collects each violation instead of any action.

use crate::config::action::Action;
use crate::config::addon;
use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::makers::{Maker, Makers};
use crate::describe::violation::Violation;
use crate::detect::stack::outcome::{LateHandles, Outcome, ReportRef};
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::script_frame::ScriptFrame;
use crate::foreign_text::foreign_description;
use crate::fork::generation;
use crate::place::intern::stack_of;
use crate::react::breakpoint::handleguard_on_violation;
use crate::react::subscriber::Subscriber;
use crate::react::{actions, usdt};
use crate::record::checker::{Checker, Occurrence};
use crate::record::sites::{First, Recorded};
use crate::symbolize::names;
use crate::symbolize::trace::Trace;
use crate::thread::caught::CaughtStack;
use crate::thread::isolates;
use crate::thread::state::ThreadState;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
use crate::unwind::platform;
use std::sync::Arc;

/// The note of a refused handle that is let through.
const RESCUED: &str = "continues: the seal is lifted until the turn ends, and the handle stays in the enclosing scope";

/// The note of a refused handle that cannot be let through.
const NOTHING_TO_RESCUE: &str =
    "cannot save the process: no scope is open for the handle, so the engine ends the process";

/// Logged once, when frame pointers are given up.
const GAVE_UP_FRAME_POINTERS: &str =
    "stacks are unwound by unwind tables from now on: some code runs that keeps no frame pointers";

/// What each guard and hook works with: the checker of the process and the state of the thread.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) checker: &'a Checker,
    pub(crate) thread: &'a ThreadState,
}

/// What is known of a violation before it is described.
struct Incident {
    /// The frame from which the stack is captured.
    origin: Origin,
    /// The action that the configuration gives the rule, or the add-on that runs.
    configured: Action,
    /// A test collects the violations of this thread.
    collecting: bool,
}

/// Reports the findings of an end, and adds late handles to the report that they belong to. The handles that were caught since
/// `ended` began are those that it has left.
pub(crate) fn settle<E: Engine>(
    session: Session<'_>,
    engine: E,
    ended: EntryId,
    outcome: Outcome,
    engine_is_below: bool,
) {
    add_late(session, outcome.late);
    for finding in outcome.findings {
        let finding = finding.with_makers(|_| {
            let caught = session.thread.caught.take_since(engine.isolate(), ended);
            makers_on(caught)
        });
        violated(session, engine, finding, engine_is_below, || None);
    }
}

/// The makers of handles that were made on these stacks.
fn makers_on(stacks: Vec<CaughtStack>) -> Makers {
    Makers::of(
        stacks
            .into_iter()
            .filter_map(|CaughtStack { ips, seen }| Some(Maker::on(stack_of(ips)?, seen))),
    )
}

/// Adds late handles to the report that they belong to.
#[inline]
pub(crate) fn add_late(session: Session<'_>, late: Option<LateHandles>) {
    if let Some(late) = late {
        add_to_report(session, late);
    }
}

#[cold]
fn add_to_report(session: Session<'_>, late: LateHandles) {
    let Session { checker, thread } = session;
    match late.report_ref {
        ReportRef::Site(slot) => checker.add_handles(slot, thread.lane(), late.handles),
        ReportRef::Collected(index) => thread.collected.add_handles(index, late.handles),
    }
}

/// Describes, records and reacts to `finding`. Returns where handles that its cause goes on to leave are to be added; `None`
/// if the rule is off, or a report is in progress on this thread.
///
/// `engine_is_below`: frames of the engine, of this isolate, are on the machine stack. `callee` names the JavaScript function
/// that is called; it runs only if the violation is described.
#[cold]
#[inline(never)]
pub(crate) fn violated<E: Engine>(
    session: Session<'_>,
    engine: E,
    finding: Finding,
    engine_is_below: bool,
    callee: impl FnOnce() -> Option<String>,
) -> Option<ReportRef> {
    let thread = session.thread;
    if is_interrupted(&finding, Origin::here()) {
        return None;
    }
    report(session, engine, &finding, Origin::here(), |incident| {
        let (action, note) = match incident.configured {
            // A test takes no action, and a thread that is panicking only prints.
            Action::Panic if !incident.collecting && !std::thread::panicking() => {
                match no_unwind(thread, engine, engine_is_below) {
                    Some(why) => (Action::Abort, Some(why)),
                    None => (Action::Panic, None),
                }
            }
            action => (action, None),
        };
        let describe =
            |stack: &CapturedStack| describe(session, engine, finding, stack, note, callee);
        if incident.collecting {
            return collect(thread, &incident, describe);
        }
        if !actions::needs_full_report(action) {
            let origin = incident.origin;
            return Some(record::<E>(session, action, &finding, origin, describe));
        }
        let violation = named(describe(&incident.by_tables()));
        let first = |_: &CapturedStack| not_to_be_logged(violation.clone());
        let recorded = count(session, &finding, incident.origin, first);
        match action {
            Action::Abort => actions::abort(&violation),
            _ => actions::panic(&violation),
        }
        Some(ReportRef::Site(recorded.slot))
    })
    .flatten()
}

/// Whether the finding is about what the program has left open by calling `exit` in the middle of it: the frames that would close
/// it are still on the stack.
fn is_interrupted(finding: &Finding, origin: Origin) -> bool {
    matches!(finding.rule(), Rule::NeverClosed | Rule::OutOfOrder)
        && platform::program_called_exit(CapturedStack::from(origin, UnwindMethod::Tables).ips())
}

/// As [`violated`], for a handle that the engine is about to refuse: it is the engine that ends the process, if it ends.
/// Returns whether the program goes on, and where its later handles are to be added.
#[cold]
pub(crate) fn refused<E: Engine>(
    session: Session<'_>,
    engine: E,
    finding: Finding,
    can_rescue: bool,
) -> Option<(bool, Option<ReportRef>)> {
    let thread = session.thread;
    report(session, engine, &finding, Origin::here(), |incident| {
        let fatal = !incident.collecting && actions::needs_full_report(incident.configured);
        let note = match incident.configured {
            Action::Panic if fatal => Some(actions::NO_UNWIND),
            _ if fatal => None,
            _ if can_rescue => Some(RESCUED),
            _ => Some(NOTHING_TO_RESCUE),
        };
        let describe =
            |stack: &CapturedStack| describe(session, engine, finding, stack, note, || None);
        if fatal || !can_rescue {
            let violation = named(describe(&incident.by_tables()));
            let first = |_: &CapturedStack| not_to_be_logged(violation.clone());
            count(session, &finding, incident.origin, first);
            actions::print(&violation);
            return (false, None);
        }
        let report_ref = if incident.collecting {
            collect(thread, &incident, describe)
        } else {
            let action = incident.configured;
            let origin = incident.origin;
            Some(record::<E>(session, action, &finding, origin, describe))
        };
        (true, report_ref)
    })
}

/// Runs `f` for a violation whose rule is not off, unless a report is in progress on this thread.
#[inline(always)]
fn report<E: Engine, R>(
    Session { checker, thread }: Session<'_>,
    engine: E,
    finding: &Finding,
    origin: Origin,
    f: impl FnOnce(Incident) -> R,
) -> Option<R> {
    let rule = finding.rule();
    let collecting = thread.collected.is_collecting();
    let (configured, _) = addon::action_of(&checker.config, rule);
    if configured == Action::Off && (!collecting || rule.is_advice()) {
        return None;
    }
    thread.report(|| {
        handleguard_on_violation();
        usdt::violation(engine.isolate(), rule);
        f(Incident {
            origin,
            configured,
            collecting,
        })
    })
}

impl Incident {
    /// The stack by unwind tables, which are right where frame pointers may be missing.
    fn by_tables(&self) -> CapturedStack {
        CapturedStack::from(self.origin, UnwindMethod::Tables)
    }
}

/// Why a panic must not unwind from here, if it must not. Frames of any isolate of the thread count.
fn no_unwind<E: Engine>(
    thread: &ThreadState,
    engine: E,
    engine_is_below: bool,
) -> Option<&'static str> {
    if engine_is_below || thread.is_in_hook() || thread.engine_is_below_elsewhere(engine.isolate())
    {
        return Some(actions::NO_UNWIND);
    }
    let foreign = !E::UNWINDS || addon::is_running();
    foreign.then_some(actions::NO_UNWIND_FOREIGN)
}

fn collect(
    thread: &ThreadState,
    incident: &Incident,
    describe: impl FnOnce(&CapturedStack) -> Violation,
) -> Option<ReportRef> {
    thread
        .collected
        .push(named(describe(&incident.by_tables())))
        .map(ReportRef::Collected)
}

/// Names the places of a violation that is shown on this thread.
fn named(violation: Violation) -> Violation {
    violation.named().unwrap_or(violation)
}

/// Counts one occurrence, and has it logged if it is the first at its site.
fn record<E: Engine>(
    session: Session<'_>,
    action: Action,
    finding: &Finding,
    origin: Origin,
    describe: impl FnOnce(&CapturedStack) -> Violation,
) -> ReportRef {
    let Session { checker, thread } = session;
    let logs = action == Action::Log;
    let timer = checker.start_timer(thread.violations());
    let recorded = count(session, finding, origin, |stack| First {
        violation: describe(stack),
        to_log: logs.then(Subscriber::current),
        generation: generation::current(),
    });
    checker.stop_timer(timer, recorded.is_new);
    let has_news = checker.learn(recorded, finding, logs);
    if has_news {
        checker.log_news();
    }
    if logs {
        checker.log(recorded, || E::ENDS_PROCESS && finding.text().is_urgent());
    }
    ReportRef::Site(recorded.slot)
}

fn not_to_be_logged(violation: Violation) -> First {
    First {
        violation,
        to_log: None,
        generation: generation::current(),
    }
}

/// Counts one occurrence in the site table. Logs a notice if the checker gave up frame pointers, as the start-up line promises
/// them.
#[inline]
fn count(
    Session { checker, thread }: Session<'_>,
    finding: &Finding,
    origin: Origin,
    first: impl FnOnce(&CapturedStack) -> First,
) -> Recorded {
    let occurrence = Occurrence {
        finding,
        origin,
        lane: thread.lane(),
    };
    let counted = checker.record(occurrence, first);
    if counted.gave_up_frame_pointers {
        actions::notice(tracing::Level::INFO, GAVE_UP_FRAME_POINTERS);
    }
    counted.recorded
}

/// The answers of the isolate that go into a description.
#[derive(Default)]
struct Answers {
    script: Vec<ScriptFrame>,
    alive: Option<u64>,
    may_ask: bool,
}

/// Describes `finding` as data. Its places are named later, for that is slow.
fn describe<E: Engine>(
    Session { checker, thread }: Session<'_>,
    engine: E,
    finding: Finding,
    stack: &CapturedStack,
    note: Option<&'static str>,
    callee: impl FnOnce() -> Option<String>,
) -> Violation {
    let isolate = engine.isolate();
    let answers = ask(thread, engine, &finding);
    let (configured, policy) = addon::action_of(&checker.config, finding.rule());
    let makers = finding.makers();
    let violation = Violation {
        finding: finding.map_places(names::kept),
        configured,
        policy,
        note,
        thread: isolates::thread_name(),
        isolate,
        callee: answers
            .may_ask
            .then(callee)
            .flatten()
            .map(|callee| foreign_description(&callee)),
        first_user: match finding.rule() {
            Rule::WrongThread => isolates::first_user_of(isolate),
            _ => None,
        },
        handles: finding.handles(),
        alive: answers.alive,
        trace: Arc::new(Trace::keep(
            stack,
            E::WORDING.classifier,
            answers.script,
            checker.config.is_full_stack(),
        )),
        wording: E::WORDING,
    };
    if makers.is_empty() {
        return violation;
    }
    violation.made_by(makers)
}

/// Asks the isolate, as far as it may be asked. It may be busy on another thread, or on its way out, unless it is the current
/// one here and has a record. It must make no handle in a collection, nor while it makes the handle that it refuses.
fn ask<E: Engine>(thread: &ThreadState, engine: E, finding: &Finding) -> Answers {
    if !engine.entered().may_be(engine.isolate()) {
        return Answers::default();
    }
    // Not from within `recorded`: asking for frames of script runs hooks, which look at the record.
    let asked = thread.recorded(engine, |live, stack| (live.handles(), stack.must_not_ask()));
    let Some((alive, must_not_ask)) = asked else {
        return Answers::default();
    };
    let may_ask = !must_not_ask && finding.rule() != Rule::Sealed;
    let script = if may_ask {
        thread.with_live(engine, |live| live.script_frames())
    } else {
        None
    };
    Answers {
        script: script.unwrap_or_default(),
        alive,
        may_ask,
    }
}
