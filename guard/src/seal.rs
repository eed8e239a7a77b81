//! A handle made where no scope is open for it: directly under a sealed turn, or with none at all.

use crate::capture::{Captured, Origin, Way};
use crate::checker::Checker;
use crate::finding::Finding;
use crate::guard::entering;
use crate::judge::{self, describe};
use crate::local::Local;
use crate::process::checker;
use crate::stack::{Charge, Stack};
use crate::{Action, Engine, Rule, addon, handleguard_on_violation, probes, react};
use std::fmt;

/// Why a rescued program goes on.
const RESCUED: &str =
    "goes on: the seal is lifted until the turn ends, and the handle stays in the scope around it";

/// Why it does not.
const NOTHING_TO_RESCUE: &str =
    "cannot save the process: there is no scope for the handle, and the engine ends it";

/// What is to become of a handle that the engine is about to refuse, and the process with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the engine ends the process, unless the seal is lifted"]
pub enum Refused {
    /// Let the engine end the process; the report is out.
    Die,
    /// Lift the seal: the handle goes to the scope around the turn, and the program goes on.
    Rescue,
}

/// Whether turns are to be sealed: whether `sealed` was given an action of its own, that can be taken here.
#[inline]
pub(crate) fn seals_turns<E: Engine>(engine: E) -> bool {
    checker().is_some_and(|checker| checker.config.seals_turns() && !is_refused(checker, engine))
}

/// Whether sealing was asked for with an action that goes on, where no handle can be rescued.
pub(crate) fn is_refused<E: Engine>(checker: &Checker, engine: E) -> bool {
    let action = checker.config.action_of(Rule::Sealed);
    !react::needs_each(action) && !engine.can_rescue()
}

/// Told at start where sealing [is refused](is_refused).
pub(crate) struct Refusal(pub(crate) Action);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={} is refused, and no turn is sealed: the engine ends the process at such a handle, and the hook that could \
             save it is not linked; accepted here: sealed=abort; {} and {} see the same bug, and can go on",
            Rule::Sealed,
            self.0,
            Rule::MissingScope,
            Rule::OuterGrowth
        )
    }
}

/// The action of `sealed`, as configured.
pub fn action_of_sealed() -> Action {
    checker().map_or(Action::Off, |checker| {
        checker.config.action_of(Rule::Sealed)
    })
}

/// The engine is about to refuse a handle: none may be made at the level that it stands at. `can_rescue` tells whether the
/// seal can be lifted. Handles that the turn goes on to leave are charged to the report.
///
/// The engine ends the process by itself where this says [`Die`](Refused::Die), so its own words come after the report.
/// `panic` is as `abort` here, for the engine's frames are on the stack.
pub fn handle_refused<E: Engine>(engine: E, can_rescue: bool) -> Refused {
    entering(engine, |local| {
        let (finding, told) = local
            .existing_stack(engine.isolate(), |stack| {
                (stack.refused(engine.level()), stack.tail().is_some())
            })
            // No guard and no hook has told of this isolate on this thread.
            .unwrap_or_else(|| (Stack::new().refused(engine.level()), false));
        if told {
            // Of the callback that was reported before; its handles are charged to that.
            return Some(if can_rescue {
                Refused::Rescue
            } else {
                Refused::Die
            });
        }
        let (refused, charge) = refused(local, engine, finding, can_rescue)?;
        if let Some(charge) = charge {
            let _ = local.existing_stack(engine.isolate(), |stack| stack.set_tail(charge));
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
    local: &Local,
    engine: E,
    finding: Finding,
    can_rescue: bool,
) -> Option<(Refused, Option<Charge>)> {
    let origin = Origin::here();
    let checker = checker()?;
    let (configured, _) = addon::action_of(&checker.config, finding.rule());
    if configured == Action::Off {
        return None;
    }
    local.report(|| {
        handleguard_on_violation();
        probes::violation(engine.isolate(), finding.rule());
        let collecting = local.is_collecting();
        let fatal = !collecting && react::needs_each(configured);
        let note = match configured {
            Action::Panic if fatal => Some(react::NO_UNWIND),
            _ if fatal => None,
            _ if can_rescue => Some(RESCUED),
            _ => Some(NOTHING_TO_RESCUE),
        };
        let violation = |stack: &Captured| describe(engine, finding, stack, note, || None);
        let by_tables = || Captured::from(origin, Way::Tables);
        if fatal || !can_rescue {
            let violation = violation(&by_tables());
            checker.record(&finding, origin, local.lane(), |_| violation.clone());
            react::print(&violation);
            return (Refused::Die, None);
        }
        let charge = if collecting {
            local.push(violation(&by_tables())).map(Charge::Collected)
        } else {
            judge::record(checker, configured, &finding, origin, local, violation)
        };
        (Refused::Rescue, charge)
    })
}
