//! What the checker says of itself when it starts.

use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::engine::interface::Engine;
use crate::process::banner;
use crate::process::global::checker;
use crate::process::global::{from_environment, start};
use crate::process::seal;
use crate::react::actions;
use crate::react::stderr;
use crate::thread::state::ThreadState;
use crate::unwind::capture::Origin;
#[cold]
pub(crate) fn announce<E: Engine>(engine: E) {
    let Some(checker) = checker() else { return };
    checker.announce(E::WORDING.classifier);
    if checker.config.is_on() && start().announce() {
        checker.probe(Origin::here());
        let _ = ThreadState::with(|thread| {
            thread.report(|| {
                let capabilities = &engine.capabilities();
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
                if checker.config.seals_turns() && seal::is_refused(checker, engine) {
                    let action = checker.config.action_of(Rule::Sealed);
                    actions::notice(tracing::Level::WARN, seal::Refusal(action));
                }
            })
        });
    }
}

/// Says at the load of a program that was built to be seen by hooks, and in which none took effect, that it is not: nothing
/// may ever come by to announce the checker. Does not start it, for the program may yet configure it.
pub(crate) fn announce_no_hook(why: &str) {
    // A wrong directive is told of where the checker starts.
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

#[cold]
pub(crate) fn hint_at_turns<E: Engine>() {
    if start().hint() {
        let _ = ThreadState::with(|thread| {
            thread.report(|| actions::notice(tracing::Level::WARN, banner::Hint(E::WORDING)))
        });
    }
}
