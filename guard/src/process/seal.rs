//! Whether turns may be sealed.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::engine::interface::Engine;
use crate::process::global::checker;
use crate::react::actions;
use crate::record::checker::Checker;
use std::fmt;
/// Whether turns are to be sealed: whether `sealed` was given an action of its own, that can be taken here.
#[inline]
pub(crate) fn seals_turns<E: Engine>(engine: E) -> bool {
    checker().is_some_and(|checker| checker.config.seals_turns() && !is_refused(checker, engine))
}

/// Whether sealing was asked for with an action that goes on, where no handle can be rescued.
pub(crate) fn is_refused<E: Engine>(checker: &Checker, engine: E) -> bool {
    let action = checker.config.action_of(Rule::Sealed);
    !actions::needs_full_report(action) && !engine.can_rescue()
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
