//! A handle made where no scope is open for it: directly under a sealed turn, or with none at all.

use crate::config::action::Action;
use crate::config::addon;
use crate::describe::finding::Finding;
use crate::detect::stack::{ReportRef, ScopeStack};
use crate::engine::interface::Engine;
use crate::guards::session::entering;
use crate::pipeline;
use crate::pipeline::describe;
use crate::process::global::checker;
use crate::react::breakpoint::handleguard_on_violation;
use crate::react::{actions, usdt};
use crate::thread::state::ThreadState;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};

/// Why a rescued program goes on.
const RESCUED: &str = "continues: the seal is lifted until the turn ends, and the handle stays in the enclosing scope";

/// Why it does not.
const NOTHING_TO_RESCUE: &str =
    "cannot save the process: no scope is open for the handle, so the engine ends the process";

/// What is to become of a handle that the engine is about to refuse, and the process with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the engine ends the process, unless the seal is lifted"]
pub enum Refused {
    /// Let the engine end the process; the report is out.
    Die,
    /// Lift the seal: the handle goes to the scope around the turn, and the program goes on.
    Rescue,
}

/// The engine is about to refuse a handle: none may be made at the level that it stands at. `can_rescue` tells whether the
/// seal can be lifted. Handles that the turn goes on to leave are charged to the report.
///
/// The engine ends the process by itself where this says [`Die`](Refused::Die), so its own words come after the report.
/// `panic` is as `abort` here, for the engine's frames are on the stack.
pub fn handle_refused<E: Engine>(engine: E, can_rescue: bool) -> Refused {
    entering(engine, |thread| {
        let (finding, flushed_up_to) = thread
            .existing_stack(engine.isolate(), |stack| {
                (stack.refused(engine.level()), stack.last_report().is_some())
            })
            // No guard and no hook has told of this isolate on this thread.
            .unwrap_or_else(|| (ScopeStack::new().refused(engine.level()), false));
        if flushed_up_to {
            // Of the callback that was reported before; its handles are charged to that.
            return Some(if can_rescue {
                Refused::Rescue
            } else {
                Refused::Die
            });
        }
        let (refused, report_ref) = refused(thread, engine, finding, can_rescue)?;
        if let Some(report_ref) = report_ref {
            let _ =
                thread.existing_stack(engine.isolate(), |stack| stack.set_last_report(report_ref));
        }
        Some(refused)
    })
    .unwrap_or(if can_rescue {
        Refused::Rescue
    } else {
        Refused::Die
    })
}

/// Describes, records and reacts: as [`judge::violated`], but it is the engine that ends the process, if it ends.
#[cold]
fn refused<E: Engine>(
    thread: &ThreadState,
    engine: E,
    finding: Finding,
    can_rescue: bool,
) -> Option<(Refused, Option<ReportRef>)> {
    let origin = Origin::here();
    let checker = checker()?;
    let (configured, _) = addon::action_of(&checker.config, finding.rule());
    if configured == Action::Off {
        return None;
    }
    thread.report(|| {
        handleguard_on_violation();
        usdt::violation(engine.isolate(), finding.rule());
        let collecting = thread.collected.is_collecting();
        let fatal = !collecting && actions::needs_full_report(configured);
        let note = match configured {
            Action::Panic if fatal => Some(actions::NO_UNWIND),
            _ if fatal => None,
            _ if can_rescue => Some(RESCUED),
            _ => Some(NOTHING_TO_RESCUE),
        };
        let violation = |stack: &CapturedStack| describe(engine, finding, stack, note, || None);
        let by_tables = || CapturedStack::from(origin, UnwindMethod::Tables);
        if fatal || !can_rescue {
            let violation = violation(&by_tables());
            checker.record(&finding, origin, thread.lane(), |_| violation.clone());
            actions::print(&violation);
            return (Refused::Die, None);
        }
        let report_ref = if collecting {
            thread
                .collected
                .push(violation(&by_tables()))
                .map(ReportRef::Collected)
        } else {
            pipeline::record(checker, configured, &finding, origin, thread, violation)
        };
        (Refused::Rescue, report_ref)
    })
}
