//! `wrong-thread`: what is reported.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::wrong_thread::WrongThread;
use crate::detect::isolate::judge;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::place::Place;
use crate::tests::host::{ALL, Host};

#[test]
fn a_thread_that_has_entered_no_isolate_is_reported() {
    let place = Place::here(None);
    assert_eq!(
        judge(IsolateId(1), Entered::None, Beginning::Turn, place),
        Some(Finding::WrongThread(WrongThread {
            beginning: Beginning::Turn,
            place,
            by_engine: false,
        }))
    );
}

#[test]
fn a_thread_on_which_the_engine_has_set_the_isolate_for_its_own_work_is_reported() {
    let place = Place::here(None);
    let beginning = Beginning::Callback;
    assert_eq!(
        judge(IsolateId(1), Entered::ByEngine, beginning, place),
        Some(Finding::WrongThread(WrongThread {
            beginning,
            place,
            by_engine: true,
        }))
    );
}

/// What the other thread may have done to the engine's counts, besides lowering the level.
const RACES: [fn(&mut Host); 2] = [Host::open_unrecorded, |host| host.make(3)];

#[test]
fn what_a_race_does_to_the_engines_counts_is_not_reported() {
    for race in RACES {
        let mut host = Host::new(ALL);
        host.open("main");
        let turn = host.begin_turn("loop");
        race(&mut host);
        host.stack.doubt_counts();
        assert_eq!(host.end_turn(turn), []);
        // The other thread may not have been done.
        let turn = host.begin_turn("loop");
        race(&mut host);
        assert_eq!(host.end_turn(turn), []);
        assert_eq!(host.stack.resync(Some(0)), None);
    }
}

#[test]
fn the_turns_after_a_race_are_judged_again() {
    let mut host = Host::new(ALL);
    host.open("main");
    let turn = host.begin_turn("loop");
    host.stack.doubt_counts();
    assert_eq!(host.end_turn(turn), []);
    let turn = host.begin_turn("loop");
    assert_eq!(host.end_turn(turn), []);
    let turn = host.begin_turn("loop");
    host.open("left");
    assert_eq!(host.end_turn(turn).len(), 1);
}
