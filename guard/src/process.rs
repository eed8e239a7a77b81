//! The checker of this process: its start, and what it is asked.

use crate::capture::Origin;
use crate::checker::Checker;
use crate::directives::{self, ConfigError, Help};
use crate::local::Local;
use crate::start::Start;
use crate::{Config, Engine, InitError, Report, Rule, VARIABLE, colour, react, seal, sight};

#[cfg(not(all(test, loom)))]
static START: Start = Start::new();

/// All sites and counters of the process as they stand now.
pub fn report() -> Report {
    checker().map(Checker::report).unwrap_or_default()
}

/// What came since the last tick, be it this call's or the background thread's, and all.
pub fn tick() -> (Report, Report) {
    checker().map(Checker::tick).unwrap_or_default()
}

/// Starts the checker of this process; see [`Config::try_init`].
///
/// # Errors
///
/// As there.
pub fn try_init(config: Config) -> Result<(), InitError> {
    let (config, help) = from_environment(&config).map_err(InitError::Config)?;
    start()
        .try_start(Box::new(Checker::new(config.clone())))
        .map_err(|_| InitError::AlreadyStarted)?;
    started(&config, help);
    Ok(())
}

/// Whether any rule is on. Starts the checker, if it did not run yet.
pub fn is_on() -> bool {
    checker().is_some_and(|checker| checker.config.is_on())
}

fn from_environment(config: &Config) -> Result<(Config, bool), ConfigError> {
    match std::env::var_os(VARIABLE) {
        None => Ok((config.clone(), false)),
        Some(value) => match value.to_str() {
            Some(directives) => directives::apply(config, directives),
            None => Err(ConfigError::not_unicode(&value)),
        },
    }
}

/// The checker of the process, started with the variable over the defaults if it did not run yet.
#[inline]
pub(crate) fn checker() -> Option<&'static Checker> {
    if let Some(checker) = start().get() {
        return Some(checker);
    }
    start_by_default();
    start().get()
}

#[cold]
fn start_by_default() {
    let defaults = Config::new();
    let (config, help, error) = match from_environment(&defaults) {
        Ok((config, help)) => (config, help, None),
        Err(error) => (defaults, false, Some(error)),
    };
    // Another thread may have been first; then it says what there is to say.
    if start()
        .try_start(Box::new(Checker::new(config.clone())))
        .is_ok()
    {
        if let Some(error) = error {
            crate::stderr::print(format_args!(
                "handleguard: {VARIABLE}: {error}; ignored, the defaults hold\n"
            ));
        }
        started(&config, help);
    }
}

fn started(config: &Config, help: bool) {
    colour::look();
    if help {
        crate::stderr::print(Help(config));
    }
    crate::tick::start(config, start());
}

#[cold]
pub(crate) fn announce<E: Engine>(engine: E) {
    let Some(checker) = checker() else { return };
    checker.announce(E::DIALECT.layer);
    if checker.config.is_on() && start().announce() {
        checker.probe(Origin::here());
        let _ = Local::with(|local| {
            local.report(|| {
                let sight = &engine.sight();
                let config = &checker.config;
                let way = checker.way();
                react::say(tracing::Level::INFO, sight::Line { config, way, sight });
                if config.requires_hooks()
                    && let Err(why) = &sight.hooks
                {
                    react::refuse_to_run(why);
                }
                if checker.config.seals_turns() && seal::is_refused(checker, engine) {
                    let action = checker.config.action_of(Rule::Sealed);
                    react::say(tracing::Level::WARN, seal::Refusal(action));
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
        react::refuse_to_run(why);
    }
    if config.is_on() {
        crate::stderr::print(format_args!("handleguard: no hook took effect: {why}\n"));
    }
}

#[cold]
pub(crate) fn hint_at_turns<E: Engine>() {
    if start().hint() {
        let _ = Local::with(|local| {
            local.report(|| react::say(tracing::Level::WARN, sight::Hint(E::DIALECT)))
        });
    }
}

#[cfg(not(all(test, loom)))]
#[inline]
pub(crate) fn start() -> &'static Start {
    &START
}

/// Loom's atomics cannot live in a `static`. The models build their own [`Start`]; nothing here runs in them.
#[cfg(all(test, loom))]
pub(crate) fn start() -> &'static Start {
    unreachable!("[handleguard internal bug] the process-wide checker in a model")
}
