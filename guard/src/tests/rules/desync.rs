//! `desync`: what is reported, and what the record does then.

use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::rules::desync::Desync;
use crate::tests::host::{ALL, Host, LEVEL, NOTHING, place};

#[test]
fn a_level_below_the_record_is_reported_once_and_the_record_follows() {
    let mut host = Host::new(ALL);
    host.open("main");
    let first = host.begin_turn("first");
    let lost = host.open("lost");
    host.close_in_engine(lost);
    let level = host.counts().level;
    let found = host.stack.resync(level);
    assert_eq!(
        found,
        Some(Finding::Desync(Desync {
            recorded: 2,
            level: 1,
            innermost: place("lost"),
        }))
    );
    assert_eq!(found.unwrap().rule(), Rule::Desync);
    assert_eq!(host.stack.resync(level), None, "the record follows");
    assert_eq!(host.stack.depth(), 0);
    // The turn of the disagreement gets no verdict, and the close of the guard is silent.
    host.begin_silent("bare");
    assert_eq!(host.stack.close_scope(lost), None);
    host.make(2);
    assert_eq!(host.end_turn(first), []);

    let second = host.begin_turn("second");
    let (_, found) = host.begin("bare");
    assert_eq!(found.map(|found| found.rule()), Some(Rule::MissingScope));
    let lost = host.open("lost again");
    host.close_in_engine(lost);
    assert_eq!(
        host.stack.resync(host.counts().level),
        None,
        "reported once"
    );
    host.end_turn(second);
}

#[test]
fn the_close_of_an_earlier_scope_in_a_turn_does_not_hide_later_scopes() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.open_unrecorded();
    let doubtful = host.begin_turn("closes what it did not open");
    host.close_unrecorded();
    let found = host.stack.resync(host.counts().level);
    assert_eq!(found.map(|found| found.rule()), Some(Rule::Desync));
    let own = host.open("own");
    host.begin_silent("on_close");
    host.close(own);
    assert_eq!(host.end_turn(doubtful), []);
}

#[test]
fn an_engine_that_agrees_with_the_record_is_silent() {
    for readable in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(readable);
        let main = host.open("main");
        let turn = host.begin_turn("uv_run");
        host.open_unrecorded();
        assert_eq!(host.stack.resync(host.counts().level), None);
        let own = host.open("own");
        assert_eq!(host.stack.resync(host.counts().level), None);
        host.close(own);
        host.close_unrecorded();
        assert_eq!(host.end_turn(turn), []);
        assert_eq!(host.stack.resync(host.counts().level), None);
        host.close(main);
        assert_eq!(host.stack.resync(host.counts().level), None);
    }
}
