//! The way of a violation: detect, describe, record, react.

use crate::config::action::Action;
use crate::config::addon;
use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::violation::Violation;
use crate::detect::stack::{LateHandles, Outcome, ReportRef};
use crate::engine::entered::Entered;
use crate::engine::interface::Engine;
use crate::process::global::{checker, start};
use crate::process::tick;
use crate::react::breakpoint::handleguard_on_violation;
use crate::react::{actions, usdt};
use crate::record::checker::Checker;
use crate::symbolize::names;
use crate::symbolize::trace::Trace;
use crate::thread::first_user;
use crate::thread::state::ThreadState;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
pub(crate) fn settle<E: Engine>(thread: &ThreadState, engine: E, outcome: Outcome, below: bool) {
    add(thread, outcome.late);
    for finding in outcome.findings {
        violated(thread, engine, finding, below, || None);
    }
}

#[inline]
pub(crate) fn add(thread: &ThreadState, late: Option<LateHandles>) {
    if let Some(late) = late {
        add_swallowed(thread, late);
    }
}

#[cold]
fn add_swallowed(
    thread: &ThreadState,
    LateHandles {
        report_ref,
        handles,
    }: LateHandles,
) {
    match report_ref {
        ReportRef::Site(slot) => {
            if let Some(checker) = checker() {
                checker.add_handles(slot, thread.lane(), handles);
            }
        }
        ReportRef::Collected(index) => thread.collected.add_handles(index, handles),
    }
}

/// Describes, records, reacts. The charge is where handles that the finding goes on to leave are to be added.
#[cold]
#[inline(never)]
pub(crate) fn violated<E: Engine>(
    thread: &ThreadState,
    engine: E,
    finding: Finding,
    engine_is_below: bool,
    callee: impl FnOnce() -> Option<String>,
) -> Option<ReportRef> {
    let origin = Origin::here();
    let checker = checker()?;
    let collecting = thread.collected.is_collecting();
    let (configured, _) = addon::action_of(&checker.config, finding.rule());
    if configured == Action::Off && (!collecting || finding.rule().is_advice()) {
        return None;
    }
    thread
        .report(|| {
            handleguard_on_violation();
            usdt::violation(engine.isolate(), finding.rule());
            let foreign = !E::UNWINDS || addon::is_running();
            let no_unwind = if engine_is_below || thread.is_in_hook() {
                Some(actions::NO_UNWIND)
            } else {
                foreign.then_some(actions::NO_UNWIND_FOREIGN)
            };
            let (action, note) = match configured {
                // A test takes no action, and a thread that panics already only prints.
                Action::Panic
                    if no_unwind.is_some() && !collecting && !std::thread::panicking() =>
                {
                    (Action::Abort, no_unwind)
                }
                action => (action, None),
            };
            let describe = |stack: &CapturedStack| describe(engine, finding, stack, note, callee);
            if collecting {
                let stack = CapturedStack::from(origin, UnwindMethod::Tables);
                return thread
                    .collected
                    .push(describe(&stack))
                    .map(ReportRef::Collected);
            }
            if actions::needs_full_report(action) {
                let violation = describe(&CapturedStack::from(origin, UnwindMethod::Tables));
                let recorded =
                    checker.record(&finding, origin, thread.lane(), |_| violation.clone());
                let report_ref = recorded.map(|recorded| ReportRef::Site(recorded.slot));
                match action {
                    Action::Abort => actions::abort(&violation),
                    _ => actions::panic(&violation),
                }
                return report_ref;
            }
            record(checker, action, &finding, origin, thread, describe)
        })
        .flatten()
}

/// Counts one occurrence, and logs it where it is the first of its cause.
pub(crate) fn record(
    checker: &Checker,
    action: Action,
    finding: &Finding,
    origin: Origin,
    thread: &ThreadState,
    describe: impl FnOnce(&CapturedStack) -> Violation,
) -> Option<ReportRef> {
    tick::restart_in_child(&checker.config, start());
    let watch = checker.start_timer(thread.violations());
    let recorded = checker.record(finding, origin, thread.lane(), describe);
    checker.stop_timer(
        watch,
        recorded.is_some_and(|recorded| recorded.new.is_some()),
    );
    let recorded = recorded?;
    if action == Action::Log
        && let Some(detail) = recorded.new
    {
        actions::log(&detail.violation);
    }
    Some(ReportRef::Site(recorded.slot))
}

/// All that is told of a finding. Asks the engine only where it may be asked: not of an isolate that is not current here, for
/// it may be busy on another thread or on its way out; not in a collection; and not while it makes a handle, for what it
/// is making it of may not move.
pub(crate) fn describe<E: Engine>(
    engine: E,
    finding: Finding,
    stack: &CapturedStack,
    note: Option<&'static str>,
    callee: impl FnOnce() -> Option<String>,
) -> Violation {
    let isolate = engine.isolate();
    let current = match engine.entered() {
        Entered::Unknown => true,
        Entered::None => false,
        Entered::Isolate(current) => current == isolate,
    };
    let collecting = ThreadState::with(|thread| {
        thread
            .existing_stack(isolate, |stack| stack.must_not_ask())
            .unwrap_or(false)
    });
    let may_ask = current && collecting == Some(false) && finding.rule() != Rule::Sealed;
    let script = if may_ask {
        engine.script_frames()
    } else {
        Vec::new()
    };
    let config = checker().map(|checker| &checker.config);
    let (configured, policy) = config.map_or((Action::Off, None), |config| {
        addon::action_of(config, finding.rule())
    });
    Violation {
        finding: finding.map_places(|place| names::named(place, E::WORDING.classifier)),
        configured,
        policy,
        note,
        thread: first_user::thread_name(),
        isolate,
        callee: if may_ask { callee() } else { None },
        owner: match finding.rule() {
            Rule::WrongThread => first_user::describe(isolate, E::WORDING.classifier),
            _ => None,
        },
        handles: finding.handles(),
        alive: if current { engine.handles() } else { None },
        trace: Trace::keep(
            stack,
            E::WORDING.classifier,
            script,
            config.is_some_and(|config| config.is_full_stack()),
        ),
        wording: E::WORDING,
    }
}
