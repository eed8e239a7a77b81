//! The table of the zoo, as it is printed and kept.

use crate::trial::Trial;
use std::fmt::Write;

const HEAD: &str = "\
| bug | class | rule | shape | V8 alone | bare counter | handleguard, in the first turn | with the rule off | twin |
|---|---|---|---|---|---|---|---|---|
";

/// One row for each trial.
pub fn of(trials: &[Trial]) -> String {
    let mut table = HEAD.to_owned();
    for trial in trials {
        let specimen = trial.specimen;
        let counter = match (trial.counter, trial.counter_blames_twin) {
            (true, false) => "sees it",
            (false, false) => "silent",
            (true, true) => "blames the twin too",
            (false, true) => "silent, and blames the twin",
        };
        let twin = if trial.failures.is_empty() {
            "silent"
        } else {
            "see the failures"
        };
        writeln!(
            table,
            "| [{}]({}) | {} | `{}` | {} | {} | {counter} | {} | {} | {twin} |",
            specimen.report,
            specimen.link,
            specimen.class,
            specimen.rule,
            specimen.shape,
            trial.v8,
            trial.handleguard,
            trial.without_rule,
        )
        .unwrap();
    }
    table
}
