//! What the checker says of itself: the start-up line, missing hooks, the hint about turns.

use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::detect::outermost::Outermost;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::wording::Wording;
use crate::place::Place;
use crate::process::banner;
use crate::process::global::{checker, from_environment, start};
use crate::process::seal;
use crate::react::{actions, stderr};
use crate::symbolize::names;
use crate::sync::real::{AtomicBool, Ordering};
use crate::thread::state::ThreadState;
use crate::unwind::capture::Origin;

/// Prints the start-up line, once in a process, for the engine that the first guard is of.
///
/// # Exits
///
/// With status 2, if `require-hooks` is set and not every hook took effect.
#[cold]
pub(crate) fn announce<L: LiveIsolate>(live: L) {
    let Some(checker) = checker() else { return };
    checker.announce(L::Engine::WORDING.classifier);
    if checker.config.is_on() && start().announce() {
        checker.probe(Origin::here());
        let _ = ThreadState::with(|thread| {
            thread.report(|| {
                let capabilities = &live.capabilities();
                let config = &checker.config;
                let unwind_method = checker.unwind_method();
                actions::notice(
                    tracing::Level::INFO,
                    banner::StartupLine {
                        config,
                        unwind_method,
                        capabilities,
                    },
                );
                if config.requires_hooks()
                    && let Err(why) = &capabilities.hooks
                {
                    actions::exit_without_hooks(why);
                }
                if config.seals_turns() && seal::is_refused(checker, live) {
                    let action = config.action_of(Rule::Sealed);
                    actions::notice(tracing::Level::WARN, seal::Refusal(action));
                }
            })
        });
    }
}

/// Prints, when a program is loaded that was built with hooks, that none took effect: no guard may ever come by to announce
/// the checker. Does not start the checker, for the program may still configure it.
///
/// # Exits
///
/// With status 2, if the variable `HANDLEGUARD` sets `require-hooks`.
pub(crate) fn announce_no_hook(why: &str) {
    // A wrong directive is reported when the checker starts.
    let Ok((config, _)) = from_environment(&Config::new()) else {
        return;
    };
    if config.requires_hooks() {
        actions::exit_without_hooks(why);
    }
    if config.is_on() {
        stderr::print(format_args!("handleguard: no hook took effect: {why}\n"));
    }
}

/// Prints, once in a process, how a host marks its turns.
#[cold]
pub(crate) fn hint_at_turns(thread: &ThreadState, wording: &'static Wording) {
    if start().hint() {
        thread.report(|| actions::notice(tracing::Level::WARN, banner::Hint(wording)));
    }
}

/// Prints, once in a process, what no rule could judge in an isolate that ends without a turn.
#[cold]
pub(crate) fn hint_at_outermost<E: Engine>(thread: &ThreadState, engine: E, outermost: Outermost) {
    static PRINTED: AtomicBool = AtomicBool::new(false);
    if !PRINTED.swap(true, Ordering::Relaxed) {
        let place = names::named(outermost.place, E::WORDING.classifier);
        let notice = banner::OutermostHint {
            isolate: engine.isolate(),
            outermost: Outermost { place, ..outermost },
            wording: E::WORDING,
        };
        thread.report(|| actions::notice(tracing::Level::WARN, notice));
    }
}

/// Prints, once in a process, that a turn was to be marked where no isolate is current.
#[cold]
pub(crate) fn turn_in_no_isolate(thread: &ThreadState, place: Place) {
    static PRINTED: AtomicBool = AtomicBool::new(false);
    if !PRINTED.swap(true, Ordering::Relaxed) {
        let notice = banner::TurnInNoIsolate(place);
        thread.report(|| actions::notice(tracing::Level::WARN, notice));
    }
}

/// Logs one line about the host: to the subscriber of this thread, or to stderr if there is none.
pub fn warn(text: impl std::fmt::Display) {
    actions::notice(tracing::Level::WARN, text);
}
