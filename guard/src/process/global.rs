//! The checker of this process: the one instance that guards and hooks use. Nothing below the guards imports this file.

use crate::config::action::Action;
use crate::config::directives::error::ConfigError;
use crate::config::directives::help::Help;
use crate::config::directives::parse;
use crate::config::rule::Rule;
use crate::config::settings::{Config, VARIABLE};
use crate::process::privilege;
use crate::process::reporter;
use crate::process::start::Start;
use crate::react::colour;
use crate::react::stderr;
use crate::record::checker::Checker;
use crate::record::report::Report;
use std::time::Duration;

#[cfg(not(all(test, loom)))]
static START: Start = Start::new();

/// Returns all sites and counters of the process as they stand now.
pub fn report() -> Report {
    checker().map(Checker::report).unwrap_or_default()
}

/// Returns two reports: what was added since the last tick, which was either this function or the background thread, and all.
pub fn tick() -> (Report, Report) {
    checker().map(Checker::tick).unwrap_or_default()
}

/// Waits until the first violation at each site has been logged, `timeout` at most: the checker's own thread logs it, soon after
/// it occurred. Returns whether all have been.
///
/// A process that exits need not call it: the exit waits too. One that ends by `abort`, `_exit` or a signal loses what has not
/// been logged.
///
/// ```
/// use std::time::Duration;
///
/// assert!(handleguard::flush(Duration::from_secs(1)), "nothing was violated");
/// ```
pub fn flush(timeout: Duration) -> bool {
    reporter::flush(start(), timeout)
}

/// Starts the checker of this process; see [`Config::try_init`].
///
/// # Errors
///
/// As [`Config::try_init`].
pub fn try_init(config: Config) -> Result<(), InitError> {
    let (config, help) = from_environment(&config).map_err(InitError::Config)?;
    // The variable holds none that is too short, and may have replaced this one.
    if !config.has_valid_tick() {
        return Err(InitError::Tick(config.tick_interval()));
    }
    start()
        .try_start(Box::new(Checker::new(config.clone(), |logging| {
            reporter::wake(self::start(), logging);
        })))
        .map_err(|_| InitError::AlreadyStarted)?;
    started(&config, help);
    Ok(())
}

/// Returns the configured action of the rule `sealed`.
pub fn action_of_sealed() -> Action {
    checker().map_or(Action::Off, |checker| {
        checker.config.action_of(Rule::Sealed)
    })
}

/// Returns whether any rule is on. Starts the checker if it has not started yet.
pub fn is_on() -> bool {
    checker().is_some_and(|checker| checker.config.is_on())
}

/// Applies the variable to `config`, unless the program does not trust its environment. Returns also whether the variable asks for help.
pub(crate) fn from_environment(config: &Config) -> Result<(Config, bool), ConfigError> {
    match privilege::directives() {
        None => Ok((config.clone(), false)),
        Some(value) => match value.to_str() {
            Some(directives) => parse::apply(config, directives),
            None => Err(ConfigError::not_unicode(&value)),
        },
    }
}

/// Returns the checker of the process. Starts it, with the defaults and the variable, if it has not started yet.
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
    // If another thread was first, that thread prints the error and the start-up line.
    if start()
        .try_start(Box::new(Checker::new(config.clone(), |logging| {
            reporter::wake(self::start(), logging);
        })))
        .is_ok()
    {
        if let Some(error) = error {
            stderr::print(format_args!(
                "handleguard: {VARIABLE}: {error}; ignored, the defaults hold\n"
            ));
        }
        started(&config, help);
    }
}

fn started(config: &Config, help: bool) {
    colour::detect();
    if help {
        stderr::print(Help(config));
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

/// Why the checker did not start as asked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InitError {
    /// The variable `HANDLEGUARD` holds a wrong directive.
    Config(ConfigError),
    /// [`Config::tick`] was called with this time, which is neither zero nor 100 ms or more.
    Tick(Duration),
    /// It was started before, by an earlier call or by the first guard.
    AlreadyStarted,
}

impl std::fmt::Display for InitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{VARIABLE}: {error}"),
            Self::Tick(tick) => write!(
                f,
                "`Config::tick`: {tick:?} is too short a time between reports; expected 100 ms or more, or zero for no reports"
            ),
            Self::AlreadyStarted => f.write_str(
                "handleguard is already running: call `try_init` once, before the first guard",
            ),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Tick(_) | Self::AlreadyStarted => None,
        }
    }
}
