//! The zoo: real handle-scope bugs, rebuilt on real V8 in their own shape, each beside its mended twin.
//!
//! Each runs in a process of its own, because many end in V8's abort. The test compares its verdicts with those in `tests/ZOO.md`.

#[macro_use]
mod open;

mod bugs;
mod counter;
mod host;
mod marker;
mod napi;
mod performance;
mod specimen;
mod stage;
mod table;
mod trial;

use handleguard_v8::handleguard::Rule;

/// The body of a child: see [`stage`].
#[test]
fn one_specimen_on_stage() {
    if handleguard_tests::is_child() {
        stage::perform(bugs::all());
    }
}

#[test]
fn every_bug_is_found_in_its_first_turn_and_every_twin_is_silent() {
    let trials = trial::of_all(bugs::all());
    let table = table::of(&trials);
    print!("{table}\n{}", table::summary(&trials));
    let failures: Vec<&str> = trials
        .iter()
        .flat_map(|trial| &trial.failures)
        .map(String::as_str)
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    if cfg!(not(feature = "interpose")) {
        let kept = table::is_kept(&table, include_str!("../ZOO.md"));
        assert!(kept.is_ok(), "{}", kept.unwrap_err());
    }
}

#[test]
fn the_zoo_has_a_bug_for_each_rule_and_in_each_file() {
    let zoo: Vec<_> = bugs::all().collect();
    // Not by a bug's first turn, and not without the hooks: `tests/hooks/unmarked.rs` has its bugs and right programs.
    let rules = Rule::ALL
        .into_iter()
        .filter(|&rule| rule != Rule::ScopeGrowth);
    for rule in rules {
        assert!(zoo.iter().any(|specimen| specimen.rule == rule), "{rule}");
    }
    for (number, file) in bugs::FILES.iter().enumerate() {
        assert!(!file.is_empty(), "file {number}");
    }
    assert!(zoo.len() >= 30);
}
