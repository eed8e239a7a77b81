//! Whether turns may be sealed, and which are watched.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::engine::interface::LiveIsolate;
use crate::pipeline::Session;
use crate::place::Place;
use crate::react::actions;
use crate::record::checker::Checker;
use std::fmt;

/// Whether turns are to be sealed: the rule `sealed` was given an action of its own, and this engine can carry it out.
#[inline]
pub(crate) fn seals_turns(checker: &Checker, live: impl LiveIsolate) -> bool {
    checker.config.seals_turns() && !is_refused(checker, live)
}

/// Whether the turn is to be watched that begins at `place`, the isolate's `number`th, so that the makers of its handles are seen. A
/// test has no second turn, so each of its turns is.
#[inline]
pub(crate) fn watches(
    session: Session<'_>,
    live: impl LiveIsolate,
    place: Place,
    number: u64,
) -> bool {
    let Session { checker, thread } = session;
    (checker.watch.covers(place, number) || thread.collected.is_collecting())
        && can_watch(checker, live)
}

/// Whether a turn of `live` that begins now is worth watching: there is a scope that handles can be left in, and no seal of the rule
/// `sealed` that reports them.
pub(crate) fn can_watch(checker: &Checker, live: impl LiveIsolate) -> bool {
    !checker.config.seals_turns() && live.level().is_some_and(|level| level > 0)
}

/// Whether the configuration gives `sealed` an action that goes on, where this engine can let no handle through.
pub(crate) fn is_refused(checker: &Checker, live: impl LiveIsolate) -> bool {
    let action = checker.config.action_of(Rule::Sealed);
    !actions::needs_full_report(action) && !live.can_rescue()
}

/// The notice at start-up that sealing [is refused](is_refused).
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
