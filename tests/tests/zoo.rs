//! The zoo: real handle-scope bugs, rebuilt on real V8 in their own shape, each beside its mended twin.
//!
//! Each runs in a process of its own, for many end in V8's abort. The verdicts are in `tests/ZOO.md`, and are those of this
//! run.

#[macro_use]
#[path = "zoo/open.rs"]
mod open;

#[path = "zoo/counter.rs"]
mod counter;
#[path = "zoo/host.rs"]
mod host;
#[path = "zoo/marker.rs"]
mod marker;
#[path = "zoo/napi.rs"]
mod napi;
#[path = "zoo/performance.rs"]
mod performance;
#[path = "zoo/specimen.rs"]
mod specimen;
#[path = "zoo/stage.rs"]
mod stage;
#[path = "zoo/table.rs"]
mod table;
#[path = "zoo/trial.rs"]
mod trial;

#[path = "zoo/a_swallowed.rs"]
mod a_swallowed;
#[path = "zoo/b_no_scope.rs"]
mod b_no_scope;
#[path = "zoo/c_order.rs"]
mod c_order;
#[path = "zoo/d_loop.rs"]
mod d_loop;
#[path = "zoo/e_isolate.rs"]
mod e_isolate;
#[path = "zoo/f_gc.rs"]
mod f_gc;
#[path = "zoo/g_close.rs"]
mod g_close;
#[path = "zoo/h_dead.rs"]
mod h_dead;
#[path = "zoo/own_limits.rs"]
mod own_limits;

use handleguard_v8::handleguard::Rule;
use specimen::Specimen;

/// Every specimen, by class.
fn zoo() -> impl Iterator<Item = &'static Specimen> + Send {
    [
        a_swallowed::ALL,
        b_no_scope::ALL,
        c_order::ALL,
        d_loop::ALL,
        e_isolate::ALL,
        f_gc::ALL,
        g_close::ALL,
        h_dead::ALL,
        own_limits::ALL,
    ]
    .into_iter()
    .flatten()
}

/// What a child does: see [`stage`].
#[test]
fn one_specimen_on_stage() {
    if handleguard_tests::is_child() {
        stage::perform(zoo());
    }
}

#[test]
fn every_bug_is_found_in_its_first_turn_and_every_twin_is_silent() {
    let trials = trial::of_all(zoo());
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
fn the_zoo_has_a_bug_for_each_rule_and_of_each_class() {
    let zoo: Vec<_> = zoo().collect();
    for rule in Rule::ALL {
        assert!(zoo.iter().any(|specimen| specimen.rule == rule), "{rule}");
    }
    for class in ["a", "b", "c", "d", "e", "f", "g", "h1"] {
        assert!(
            zoo.iter().any(|specimen| specimen.class == class),
            "{class}"
        );
    }
    assert!(zoo.len() >= 30);
}
