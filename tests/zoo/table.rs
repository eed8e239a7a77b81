//! The table of the zoo, which is printed and compared with `tests/ZOO.md`.

use crate::trial::Trial;
use handleguard_v8::handleguard::Rule;
use std::fmt::Write;

/// The head of the table, which reaches to the end of the file.
const HEAD: &str = "\
| bug | class | rule | shape | V8 alone | bare counter | handleguard, in the first turn | with the rule off | no turn marked | twin |
|---|---|---|---|---|---|---|---|---|---|
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
            "| [{}]({}) | `{}` | `{}` | {} | {} | {counter} | {} | {} | {} | {twin} |",
            specimen.report,
            specimen.link,
            specimen.class(),
            specimen.rule,
            specimen.shape,
            trial.v8,
            trial.handleguard,
            trial.without_rule,
            trial.unmarked,
        )
        .unwrap();
    }
    table
}

/// How many bugs were found, and which ones each rule does not report when it is off.
pub fn summary(trials: &[Trial]) -> String {
    let found = |trial: &&Trial| trial.failures.is_empty() && trial.is_found_as_it_should;
    let passed = trials.iter().filter(found).count();
    let mut summary = format!(
        "{passed} of {} bugs found, their twins silent\n",
        trials.len()
    );
    for trial in trials.iter().filter(|trial| !trial.is_found_as_it_should) {
        writeln!(
            summary,
            "with hooks alone, {}: `{}` and not `{}`",
            trial.specimen.name, trial.handleguard, trial.specimen.rule
        )
        .unwrap();
    }
    for rule in Rule::ALL {
        let bugs: Vec<&str> = trials
            .iter()
            .filter(|trial| trial.specimen.rule == rule && trial.unreported)
            .map(|trial| trial.specimen.name)
            .collect();
        writeln!(
            summary,
            "{rule}: without it, not found: {}",
            bugs.join(", ")
        )
        .unwrap();
    }
    summary
}

/// Compares `table` with the one in `file`. The error says what to do.
pub fn is_kept(table: &str, file: &str) -> Result<(), String> {
    let Some(at) = file.find(HEAD) else {
        return Err("tests/ZOO.md has no table".to_owned());
    };
    if &file[at..] == table {
        return Ok(());
    }
    let new = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("ZOO.md");
    std::fs::write(&new, format!("{}{table}", &file[..at])).map_err(|error| error.to_string())?;
    let differs = table
        .lines()
        .find(|line| !file.lines().any(|kept| kept == *line))
        .unwrap_or("a row is there no more");
    Err(format!(
        "tests/ZOO.md is not what this run gives, which is in {}; the first difference:\n{differs}",
        new.display()
    ))
}
