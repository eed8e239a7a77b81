//! `scope-budget`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::rules::scope_budget::ScopeBudget;
use crate::tests::host::{ALL, HANDLES, Host, LEVEL, scope};

#[test]
fn a_scope_over_its_budget_is_reported_once() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.make(5);
    host.open("worker");
    host.make(10);
    assert_eq!(host.stack.over_budget(10, host.counts()), None, "just full");
    host.make(1);
    let found = host.stack.over_budget(10, host.counts());
    assert_eq!(
        found,
        Some(Finding::ScopeBudget(ScopeBudget {
            scope: scope(2, "worker", 0),
            held: 11,
            budget: 10,
        }))
    );
    assert_eq!(found.unwrap().rule(), Rule::ScopeBudget);
    host.make(10);
    assert_eq!(
        host.stack.over_budget(10, host.counts()),
        None,
        "reported before"
    );
}

#[test]
fn handles_in_an_unrecorded_scope_count_for_no_budget() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.open_unrecorded();
    host.make(11);
    assert_eq!(host.stack.over_budget(10, host.counts()), None);
}

#[test]
fn a_budget_is_not_guessed_where_a_count_is_unknown() {
    for readable in [LEVEL, HANDLES] {
        let mut host = Host::new(readable);
        host.open("main");
        host.make(11);
        assert_eq!(host.stack.over_budget(10, host.counts()), None);
    }
}
