//! The periodic report, from a thread of its own.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::process::start::Start;
use crate::react::colour::Headline;
use crate::react::{actions, stderr};
use crate::symbolize::platform;
use std::thread;

/// Starts the thread, if the configuration asks for what it does: an interval, and a rule whose action is `log`.
pub(crate) fn start(config: &Config, start: &'static Start) {
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

/// Reports the violations since the last tick. Prints nothing if there were none.
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
    platform::forget_symbols();
}
