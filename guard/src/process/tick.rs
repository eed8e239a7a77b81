//! The periodic report, which a thread of its own writes.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::fork::generation;
use crate::process::start::Start;
use crate::react::colour::Headline;
use crate::react::{actions, stderr};
use crate::sync::real::{AtomicU64, Ordering};
use std::thread;

/// The [generation](generation::current) of the process in which the thread was last started. No process has the initial value.
static STARTED_IN: AtomicU64 = AtomicU64::new(u64::MAX);

/// Starts the thread again in a forked child, which has only the thread that forked it.
#[inline]
pub(crate) fn restart_in_child(config: &Config, start: &'static Start) {
    if STARTED_IN.load(Ordering::Relaxed) != generation::current() {
        self::start(config, start);
    }
}

/// Starts the thread if the configuration has an interval and a rule whose action is `log`.
#[cold]
pub(crate) fn start(config: &Config, start: &'static Start) {
    let generation = generation::current();
    // Two threads of a child may call this at once. The first one starts the thread.
    if STARTED_IN.swap(generation, Ordering::Relaxed) == generation {
        return;
    }
    let interval = config.tick_interval();
    let logs = Rule::ALL
        .iter()
        .any(|&rule| config.action_of(rule) == Action::Log);
    if interval.is_zero() || !logs {
        return;
    }
    let spawned = thread::Builder::new()
        .name("handleguard-tick".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(interval);
                tick(start);
            }
        });
    if let Err(error) = spawned {
        stderr::print(format_args!(
            "handleguard: there will be no periodic report, because its thread could not be started: {error}\n"
        ));
    }
}

/// Reports the sites with violations since the last tick: to `tracing` if the program has a subscriber, else to stderr. Does
/// nothing if there are none.
fn tick(start: &Start) {
    let Some(checker) = start.get() else { return };
    let (interval, all) = checker.tick();
    if interval.is_clean() {
        return;
    }
    if !tracing::dispatcher::has_been_set() {
        stderr::print(format_args!("{}in all:\n{all}", Headline(&interval)));
    } else {
        for site in &interval.sites {
            if let Some(total) = all.sites.iter().find(|total| total.slot == site.slot) {
                actions::log_summary(&total.violation, total.handles, total.count);
            }
        }
    }
}
