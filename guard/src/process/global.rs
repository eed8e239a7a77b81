//! The checker of this process: its start, and what it is asked.

use crate::config::action::Action;
use crate::config::directives::error::ConfigError;
use crate::config::directives::help::Help;
use crate::config::directives::parse;
use crate::config::rule::Rule;
use crate::config::settings::{Config, VARIABLE};
use crate::process::start::Start;
use crate::react::colour;
use crate::react::stderr;
use crate::record::checker::Checker;
use crate::record::report::Report;
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

/// The action of the rule `sealed`, as configured.
pub fn action_of_sealed() -> Action {
    checker().map_or(Action::Off, |checker| {
        checker.config.action_of(Rule::Sealed)
    })
}

/// Whether any rule is on. Starts the checker, if it did not run yet.
pub fn is_on() -> bool {
    checker().is_some_and(|checker| checker.config.is_on())
}

pub(crate) fn from_environment(config: &Config) -> Result<(Config, bool), ConfigError> {
    match std::env::var_os(VARIABLE) {
        None => Ok((config.clone(), false)),
        Some(value) => match value.to_str() {
            Some(directives) => parse::apply(config, directives),
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
    crate::process::tick::start(config, start());
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
    /// It was started before, by an earlier call or by the first guard.
    AlreadyStarted,
}

impl std::fmt::Display for InitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{VARIABLE}: {error}"),
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
            Self::AlreadyStarted => None,
        }
    }
}
