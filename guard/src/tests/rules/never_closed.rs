//! `never-closed`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::never_closed::{NeverClosed, StorageReused};
use crate::describe::scope::ScopeKind;
use crate::describe::turn::TurnRef;
use crate::tests::host::{
    ALL, HANDLES, Host, LEVEL, NOTHING, SCOPE, at_level, code, constructed, known, missing, place,
    turn,
};

fn never_closed(scope: Opener, turn: TurnRef) -> Finding {
    Finding::NeverClosed(NeverClosed {
        scope,
        ended: Ended::Turn,
        turn: Some(turn),
        left: 0,
    })
}

#[test]
fn scope_still_open_at_the_end_of_its_turn_is_reported() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        host.open("leaked");
        let found = host.end_turn(uv_run);
        assert_eq!(
            found,
            [never_closed(known(3, "leaked", 0), turn(1, "uv_run"))]
        );
        assert_eq!(found[0].rule(), Rule::NeverClosed);
        assert_eq!(host.stack.depth(), 1, "`main` is all that is left");
    }
}

#[test]
fn scope_of_a_turn_that_closed_in_time_is_silent() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        let main = host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let own = host.open("own");
        host.close(own);
        assert_eq!(host.end_turn(uv_run), []);
        host.close(main);
        assert_eq!(host.end_isolate(), []);
    }
}

#[test]
fn each_scope_still_open_is_reported() {
    let mut host = Host::new(ALL);
    let uv_run = host.begin_turn("uv_run");
    host.open("first");
    host.open("second");
    assert_eq!(
        host.end_turn(uv_run),
        [
            never_closed(known(2, "first", 0), turn(1, "uv_run")),
            never_closed(known(3, "second", 0), turn(1, "uv_run")),
        ]
    );
}

#[test]
fn scope_that_the_level_says_is_closed_is_silent() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let own = host.open("own");
    host.close_in_engine(own);
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.stack.depth(), 1);
}

#[test]
fn of_two_recorded_scopes_the_one_that_the_level_says_is_open_is_blamed() {
    let mut host = Host::new(ALL);
    let uv_run = host.begin_turn("uv_run");
    host.open("leaked");
    let closed = host.open("closed");
    host.close_in_engine(closed);
    assert_eq!(
        host.end_turn(uv_run),
        [never_closed(known(2, "leaked", 0), turn(1, "uv_run"))]
    );
}

#[test]
fn leak_that_only_the_level_shows_is_reported_as_unrecorded() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    host.open_unrecorded();
    assert_eq!(
        host.end_turn(uv_run),
        [never_closed(Opener::Unrecorded, turn(1, "uv_run"))]
    );
}

#[test]
fn leak_is_reported_once_and_not_again_by_the_turn_around_or_the_isolate() {
    for unrecorded in [false, true] {
        let mut host = Host::new(ALL);
        let main = host.open("main");
        let outer = host.begin_turn("uv_run");
        let inner = host.begin_turn("task");
        if unrecorded {
            host.open_unrecorded();
        } else {
            host.open("leaked");
        }
        host.make(5);
        assert_eq!(host.end_turn(inner).len(), 1);
        assert_eq!(host.end_turn(outer), []);
        let next = host.begin_turn("uv_run");
        assert_eq!(host.end_turn(next), []);
        assert_eq!(host.close(main), None);
        assert_eq!(host.end_isolate(), []);
    }
}

#[test]
fn leaked_scope_is_named_where_later_handles_land_in_it() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    host.open("leaked");
    assert_eq!(host.end_turn(uv_run).len(), 1);
    for turns_ago in 1..3 {
        let uv_run = host.begin_turn("uv_run");
        let (id, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing(
                "on_close",
                known(3, "leaked", turns_ago),
                Some(turn(1 + turns_ago, "uv_run"))
            )
        );
        host.end(id);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn scope_in_the_turn_after_a_leak_counts() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    host.open("leaked");
    assert_eq!(host.end_turn(uv_run).len(), 1);
    let uv_run = host.begin_turn("uv_run");
    let own = host.open("own");
    let callback = host.begin_silent("on_close");
    host.end(callback);
    host.close(own);
    assert_eq!(host.end_turn(uv_run), []);
}

#[test]
fn scope_that_closes_after_its_turn_was_reported_is_silent_and_leaves_no_false_alarm() {
    let mut host = Host::new(ALL);
    let main = host.open("main");
    let outer = host.begin_turn("uv_run");
    let inner = host.begin_turn("task");
    let late = host.open("late");
    assert_eq!(host.end_turn(inner).len(), 1);
    assert_eq!(host.close(late), None);
    let own = host.open("own");
    let callback = host.begin_silent("on_close");
    host.end(callback);
    assert_eq!(host.close(own), None);
    host.begin_reported("on_close");
    assert_eq!(host.end_turn(outer), []);
    assert_eq!(host.close(main), None);
    host.open_unrecorded();
    assert_eq!(
        host.end_isolate().len(),
        1,
        "the level that `late` gave back must not hide another leak"
    );
}

#[test]
fn scope_still_open_at_the_end_of_the_isolate_is_reported() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        assert_eq!(
            host.end_isolate(),
            [Finding::NeverClosed(NeverClosed {
                scope: known(1, "main", 0),
                ended: Ended::Isolate,
                turn: None,
                left: 0,
            })]
        );
        assert!(host.stack.is_empty());
    }
}

#[test]
fn leak_of_the_isolate_that_only_the_level_shows_is_reported_as_unrecorded() {
    let mut host = Host::new(ALL);
    host.open_unrecorded();
    assert_eq!(
        host.end_isolate(),
        [Finding::NeverClosed(NeverClosed {
            scope: Opener::Unrecorded,
            ended: Ended::Isolate,
            turn: None,
            left: 0,
        })]
    );
}

#[test]
fn scope_that_stands_for_the_engines_own_is_no_leak() {
    for readable in [HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        let uv_run = host.begin_turn("uv_run");
        host.open_kind(ScopeKind::CallbackScope, "callback_scope");
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn leak_reported_as_out_of_order_is_not_reported_again_as_never_closed() {
    let mut host = Host::new(ALL);
    let main = host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let outer = host.open("outer");
    host.open("forgotten");
    assert!(host.close(outer).is_some());
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.close(main), None);
    assert_eq!(host.end_isolate(), []);
}

#[test]
fn handles_in_a_leaked_scope_are_not_reported_as_growth_of_any_turn() {
    let mut host = Host::new(ALL);
    host.open("main");
    let outer = host.begin_turn("uv_run");
    let inner = host.begin_turn("task");
    host.open("leaked");
    host.make(5);
    assert_eq!(
        host.end_turn(inner),
        [Finding::NeverClosed(NeverClosed {
            scope: known(4, "leaked", 0),
            ended: Ended::Turn,
            turn: Some(turn(2, "task")),
            left: 5,
        })]
    );
    assert_eq!(host.end_turn(outer), []);
}

#[test]
fn turn_ended_around_a_turn_inside_it_ends_both() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        let outer = host.begin_turn("uv_run");
        let inner = host.begin_turn("task");
        host.open("leaked");
        assert_eq!(
            host.end_turn(outer),
            [never_closed(known(4, "leaked", 0), turn(1, "uv_run"))]
        );
        assert_eq!(host.end_turn(inner), []);
        assert_eq!(host.stack.depth(), 1);
    }
}

#[test]
fn a_scope_still_open_when_its_isolate_is_left_is_reported() {
    for readable in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("around");
        let (entered, then) = (host.stack.last_id(), host.counts().level);
        host.open("early return");
        let found = host
            .stack
            .leave_isolate(entered, then, place("exit"), host.counts());
        assert_eq!(
            found,
            [Finding::NeverClosed(NeverClosed {
                scope: known(2, "early return", 0),
                ended: Ended::Exit(place("exit")),
                turn: None,
                left: 0,
            })]
        );
    }
}

#[test]
fn leaving_an_isolate_with_its_scopes_closed_is_silent() {
    for readable in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("around");
        let (entered, then) = (host.stack.last_id(), host.counts().level);
        let scope = host.open("in time");
        host.close(scope);
        let found = host
            .stack
            .leave_isolate(entered, then, place("exit"), host.counts());
        assert_eq!(found, []);
    }
}

#[test]
fn memory_of_an_open_scope_is_recognised_at_any_address() {
    // As on a machine stack, and in other orders, as in boxes.
    for storages in [&[0x300, 0x200, 0x100][..], &[0x100, 0x300, 0x200], &[0x200]] {
        for &again in storages {
            let mut stack = constructed(storages);
            let inside = at_level(u32::try_from(storages.len()).unwrap() + 1);
            let Some(Finding::StorageReused(StorageReused {
                first, again: by, ..
            })) = stack.claim_storage(SCOPE, place("again"), again, inside)
            else {
                panic!("{again:#x} of {storages:x?}");
            };
            assert_eq!(first.place, code(again));
            assert_eq!(by, place("again"));
        }
    }
}

#[test]
fn memory_of_a_scope_that_the_engine_has_closed_is_free() {
    let mut stack = constructed(&[0x300, 0x200]);
    // The level inside the new scope is no higher than inside the recorded one.
    assert_eq!(
        stack.claim_storage(SCOPE, place("again"), 0x200, at_level(2)),
        None
    );
}

#[test]
fn a_scope_whose_memory_was_reused_is_reported_once_whether_it_closes_or_not() {
    for closes in [1, 2] {
        let mut stack = constructed(&[0x300]);
        let turn = stack.begin_turn(place("turn"), at_level(1));
        stack.construct_scope(SCOPE, code(1), 0x200, at_level(2));
        let inner = stack.begin_turn(place("inner"), at_level(2));
        assert!(
            stack
                .claim_storage(SCOPE, code(2), 0x200, at_level(3))
                .is_some()
        );
        stack.construct_scope(SCOPE, code(2), 0x200, at_level(3));
        assert_eq!(stack.depth(), 1);
        for _ in 0..closes {
            assert_eq!(stack.destruct_scope(SCOPE, 0x200, code(0x10), None), None);
        }
        let left = 3 - closes;
        assert_eq!(stack.end_turn(inner, at_level(left)).findings, []);
        assert_eq!(stack.end_turn(turn, at_level(left)).findings, []);
        assert_eq!(stack.depth(), 1);
        assert_eq!(stack.destruct_scope(SCOPE, 0x300, code(0x10), None), None);
        assert!(stack.is_empty());
    }
}

#[test]
fn handles_left_in_a_scope_that_stays_open_are_counted_at_the_outermost() {
    for (readable, left) in [(ALL, 5), (LEVEL, 0), (NOTHING, 0)] {
        let mut host = Host::new(readable);
        host.open("main");
        host.make(7);
        let uv_run = host.begin_turn("uv_run");
        host.open("early return");
        host.make(2);
        host.open("inside");
        host.make(3);
        let found = host.end_turn(uv_run);
        let handles = found.iter().map(Finding::handles);
        assert_eq!(handles.collect::<Vec<_>>(), [left, 0], "{readable:?}");
    }
}
