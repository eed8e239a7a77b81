//! Each rule of the scope stack: what is reported, and next to it what stays silent.

use super::host::{ALL, HANDLES, Host, LEVEL, NOTHING, known, place, scope, turn};
use crate::config::rule::Rule;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::missing_scope::MissingScope;
use crate::describe::rules::never_closed::NeverClosed;
use crate::describe::rules::out_of_order::{ClosedTwice, OutOfOrder, StillOpen};
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::engine::counters::EngineCounts;

fn missing(
    callback: &'static str,
    opener: Opener,
    turn: Option<crate::describe::turn::TurnRef>,
) -> Option<Finding> {
    Some(Finding::MissingScope(MissingScope {
        callback: place(callback),
        opener,
        turn,
    }))
}

fn growth_of_turn(opener: Opener, turn: crate::describe::turn::TurnRef, grown: u64) -> Finding {
    Finding::OuterGrowth(OuterGrowth {
        ended: Ended::Turn,
        opener,
        turn,
        grown,
    })
}

// missing-scope

#[test]
fn callback_with_no_scope_since_the_turn_began_is_reported() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(1, "main", 1), Some(turn(1, "uv_run"))),
            "{sees:?}"
        );
        assert_eq!(finding.unwrap().rule(), Rule::MissingScope);
    }
}

#[test]
fn callback_in_a_scope_of_its_turn_is_silent() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        for kind in [ScopeKind::HandleScope, ScopeKind::EscapableHandleScope] {
            let mut host = Host::new(sees);
            host.open("main");
            let uv_run = host.begin_turn("uv_run");
            let on_close = host.open_kind(kind, "on_close");
            let callback = host.begin_silent("on_close");
            host.make(3);
            assert_eq!(host.end(callback), []);
            assert_eq!(host.close(on_close), None);
            assert_eq!(host.end_turn(uv_run), []);
        }
    }
}

#[test]
fn callback_after_the_scope_of_its_turn_has_closed_is_reported() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        let before = host.open("before");
        host.close(before);
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(1, "main", 1), Some(turn(1, "uv_run")))
        );
    }
}

#[test]
fn try_catch_is_no_scope_for_handles() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        host.open_kind(ScopeKind::TryCatch, "guarded");
        host.begin_reported("on_close");
    }
}

#[test]
fn a_scope_of_an_earlier_turn_is_named_with_its_age() {
    let mut host = Host::new(ALL);
    host.open("main");
    for _ in 0..3 {
        let idle = host.begin_turn("uv_run");
        host.end_turn(idle);
    }
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", known(1, "main", 4), Some(turn(4, "uv_run")))
    );
}

#[test]
fn the_innermost_scope_outside_the_turn_is_the_opener() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.open("server");
        host.open_kind(ScopeKind::TryCatch, "guarded");
        host.begin_turn("uv_run");
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(2, "server", 1), Some(turn(1, "uv_run")))
        );
    }
}

#[test]
fn an_opener_without_a_guard_is_told_as_unseen() {
    let mut host = Host::new(ALL);
    host.open_unseen();
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", Opener::Unrecorded, Some(turn(1, "uv_run")))
    );

    let mut host = Host::new(ALL);
    host.open("main");
    host.open_unseen();
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", Opener::Unrecorded, Some(turn(1, "uv_run"))),
        "`main` is not the innermost, whatever the record says"
    );
}

#[test]
fn with_no_scope_at_all_nothing_is_the_opener() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        let uv_run = host.begin_turn("uv_run");
        let (id, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", Opener::Nothing, Some(turn(1, "uv_run")))
        );
        assert_eq!(host.end(id), []);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn a_scope_without_a_guard_is_a_scope_where_the_level_tells() {
    for sees in [ALL, LEVEL] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        host.open_unseen();
        host.begin_silent("on_close");
    }
}

#[test]
fn a_scope_without_a_guard_is_not_known_of_without_the_level() {
    let mut host = Host::new(NOTHING);
    host.open("main");
    host.begin_turn("uv_run");
    host.open_unseen();
    host.begin_reported("on_close");
}

#[test]
fn with_no_turn_marked_only_a_callback_with_no_scope_at_all_is_reported() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        let (id, finding) = host.begin("on_close");
        assert_eq!(finding, missing("on_close", Opener::Nothing, None));
        assert_eq!(host.end(id), []);
        host.open("main");
        let callback = host.begin_silent("on_close");
        host.make(5);
        assert_eq!(host.end(callback), [], "nothing to measure growth by");
        assert!(!host.stack.wants_handles());
    }
}

#[test]
fn with_no_turn_marked_a_scope_without_a_guard_is_silent_where_the_level_tells() {
    let mut host = Host::new(ALL);
    host.open_unseen();
    host.begin_silent("on_close");
}

#[test]
fn callback_inside_a_callback_is_silent_without_the_level() {
    for sees in [HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let outer = host.begin_reported("on_close");
        let inner = host.begin_silent("from_script");
        assert_eq!(host.end(inner), []);
        assert_eq!(host.end(outer), []);
        host.begin_reported("on_close");
        host.end_turn(uv_run);
    }
}

#[test]
fn callback_inside_a_callback_is_judged_by_the_level() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    host.begin_reported("on_close");
    host.open_unseen();
    let inner = host.begin_silent("from_script");
    assert_eq!(host.end(inner), []);
    host.close_unseen();
    host.begin_reported("with_nothing_opened_by_the_engine");
}

#[test]
fn a_scope_of_the_turn_around_does_not_count_for_a_turn_inside() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        let request = host.open("request");
        let task = host.begin_turn("task");
        let (id, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(3, "request", 1), Some(turn(2, "task")))
        );
        assert_eq!(host.end(id), []);

        let scope = host.open("own");
        let callback = host.begin_silent("on_close");
        assert_eq!(host.end(callback), []);
        assert_eq!(host.close(scope), None);
        assert_eq!(host.end_turn(task), []);

        let callback = host.begin_silent("on_close");
        assert_eq!(host.end(callback), [], "back under `request`");
        assert_eq!(host.close(request), None);
        host.begin_reported("on_close");
    }
}

#[test]
fn a_callback_in_the_turn_around_does_not_count_for_a_turn_inside() {
    for sees in [HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        let outer = host.begin_reported("run_loop");
        let inner = host.begin_turn("nested_uv_run");
        let callback = host.begin_reported("on_close");
        assert_eq!(host.end(callback), []);
        assert_eq!(host.end_turn(inner), []);
        let from_script = host.begin_silent("from_script");
        host.end(from_script);
        host.end(outer);
        host.begin_reported("on_close");
    }
}

// outer-growth

#[test]
fn handles_left_by_a_callback_that_nothing_is_charged_for_are_reported() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let (id, _) = host.begin("on_close");
    host.make(3);
    let expected = Finding::OuterGrowth(OuterGrowth {
        ended: Ended::Callback(place("on_close")),
        opener: known(1, "main", 1),
        turn: turn(1, "uv_run"),
        grown: 3,
    });
    assert_eq!(host.end(id), [expected]);
    assert_eq!(expected.rule(), Rule::OuterGrowth);
    assert_eq!(host.end_turn(uv_run), [], "told of before");
}

#[test]
fn handles_left_by_a_reported_callback_are_charged_to_the_report() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.make(3);
        assert_eq!(host.end(id), []);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.charged, [3]);
    }
}

#[test]
fn callback_that_leaves_nothing_is_no_growth() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    let (id, _) = host.begin("on_close");
    let inside = host.open("inside");
    host.make(3);
    host.close(inside);
    assert_eq!(host.end(id), []);
    assert!(host.charged.is_empty());
}

#[test]
fn handles_left_by_a_turn_are_reported() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        host.make(2);
        assert_eq!(
            host.end_turn(uv_run),
            [growth_of_turn(known(1, "main", 1), turn(1, "uv_run"), 2)]
        );
    }
}

#[test]
fn turn_with_a_scope_of_its_own_leaves_nothing() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let own = host.open("own");
        host.make(2);
        host.close(own);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn idle_turn_is_silent() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        let uv_run = host.begin_turn("uv_run");
        assert_eq!(host.end_turn(uv_run), []);
        host.open("main");
        host.make(7);
        let uv_run = host.begin_turn("uv_run");
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn growth_is_not_guessed_where_handles_cannot_be_counted() {
    for sees in [LEVEL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.make(2);
        assert_eq!(host.end(id), []);
        host.make(2);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.charged, [0]);
    }
}

#[test]
fn growth_in_nested_turns_is_told_once() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let outer = host.begin_turn("uv_run");
        host.make(1);
        let inner = host.begin_turn("task");
        host.make(2);
        assert_eq!(
            host.end_turn(inner),
            [growth_of_turn(known(1, "main", 2), turn(2, "task"), 2)]
        );
        host.make(4);
        assert_eq!(
            host.end_turn(outer),
            [growth_of_turn(known(1, "main", 2), turn(1, "uv_run"), 5)]
        );
    }
}

#[test]
fn growth_of_a_turn_inside_a_scope_of_the_turn_around_ends_with_that_scope() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let outer = host.begin_turn("uv_run");
        let request = host.open("request");
        let inner = host.begin_turn("task");
        host.make(2);
        assert_eq!(
            host.end_turn(inner),
            [growth_of_turn(known(3, "request", 1), turn(2, "task"), 2)]
        );
        host.close(request);
        host.make(1);
        assert_eq!(
            host.end_turn(outer),
            [growth_of_turn(known(1, "main", 2), turn(1, "uv_run"), 1)]
        );
    }
}

#[test]
fn escaping_into_a_scope_of_the_turn_is_silent() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let parent = host.open("parent");
        let escapable = host.open_kind(ScopeKind::EscapableHandleScope, "make");
        host.make(3);
        host.close(escapable);
        host.make(1);
        host.close(parent);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn escaping_out_of_the_turn_is_growth_of_one() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let escapable = host.open_kind(ScopeKind::EscapableHandleScope, "make");
        host.make(3);
        host.close(escapable);
        host.make(1);
        assert_eq!(
            host.end_turn(uv_run),
            [growth_of_turn(known(1, "main", 1), turn(1, "uv_run"), 1)]
        );
    }
}

// Charges and tails.

#[test]
fn handles_on_the_way_to_a_reported_callback_are_charged_to_it() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        host.make(2);
        let id = host.begin_reported("on_close");
        assert_eq!(host.charged, [2]);
        host.make(3);
        assert_eq!(host.end(id), []);
        assert_eq!(host.charged, [5]);
        host.make(4);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.charged, [9]);
    }
}

#[test]
fn handles_between_two_reported_callbacks_are_charged_to_the_second() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let first = host.begin_reported("first");
    host.make(1);
    host.end(first);
    host.make(10);
    let second = host.begin_reported("second");
    host.make(100);
    host.end(second);
    host.make(1000);
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.charged, [1, 1110]);
}

#[test]
fn opening_a_scope_ends_the_tail() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.end(id);
        host.make(2);
        assert!(host.stack.wants_handles());
        let next = host.open("next");
        assert_eq!(host.charged, [2]);
        assert!(!host.stack.wants_handles());
        host.make(50);
        host.close(next);
        host.make(3);
        assert_eq!(
            host.end_turn(uv_run),
            [growth_of_turn(known(1, "main", 1), turn(1, "uv_run"), 3)]
        );
        assert_eq!(host.charged, [2]);
    }
}

#[test]
fn scope_inside_a_reported_callback_does_not_charge_its_handles_twice() {
    for sees in [ALL, HANDLES] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.make(2);
        assert!(!host.stack.wants_handles());
        let native = host.open("native");
        host.make(50);
        host.close(native);
        host.make(1);
        host.end(id);
        assert_eq!(host.charged, [3]);
        host.make(4);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.charged, [7], "what follows the callback is its tail");
    }
}

#[test]
fn handles_of_a_scope_without_a_guard_are_not_charged_to_the_tail() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let id = host.begin_reported("on_close");
    host.end(id);
    host.open_unseen();
    host.make(50);
    let native = host.open("native");
    host.close(native);
    host.close_unseen();
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.charged, [0]);
}

#[test]
fn reported_callback_inside_a_reported_callback_is_charged_once() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let outer = host.begin_reported("make_callback");
    host.make(1);
    let inner = host.begin_reported("call");
    host.make(10);
    host.end(inner);
    host.make(100);
    host.end(outer);
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.charged.iter().sum::<u64>(), 111);
    assert_eq!(host.charged, [100, 11]);
}

#[test]
fn turn_inside_a_reported_callback_is_told_once() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let outer = host.begin_reported("run_loop");
    host.make(1);
    let inner = host.begin_turn("nested");
    host.make(10);
    assert_eq!(
        host.end_turn(inner),
        [growth_of_turn(known(1, "main", 2), turn(2, "nested"), 10)]
    );
    host.end(outer);
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.charged, [1]);
}

#[test]
fn callback_in_a_scope_of_the_turn_is_charged_nothing() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    host.open("own");
    let callback = host.begin_silent("on_close");
    assert!(!host.stack.callback_is_exposed());
    host.make(3);
    assert_eq!(host.end(callback), []);
}

// out-of-order

#[test]
fn outer_scope_closed_while_an_inner_one_is_open_is_reported() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        let outer = host.open("outer");
        let inner = host.open("inner");
        let finding = host.close(outer);
        assert_eq!(
            finding,
            Some(Finding::OutOfOrder(OutOfOrder {
                closing: scope(1, "outer", 0),
                open: StillOpen::Scope(scope(2, "inner", 0)),
                between: 0,
            }))
        );
        assert_eq!(finding.unwrap().rule(), Rule::OutOfOrder);
        assert_eq!(host.close(inner), None, "told of before");
        assert_eq!(host.stack.depth(), 0);
        assert!(host.stack.is_empty());
    }
}

#[test]
fn scopes_closed_in_reverse_order_are_silent() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        let outer = host.open("outer");
        let middle = host.open_kind(ScopeKind::TryCatch, "middle");
        let inner = host.open_kind(ScopeKind::EscapableHandleScope, "inner");
        assert_eq!(host.close(inner), None);
        assert_eq!(host.close(middle), None);
        assert_eq!(host.close(outer), None);
    }
}

#[test]
fn the_innermost_open_scope_is_named_and_those_between_are_counted() {
    let mut host = Host::new(ALL);
    let outer = host.open("outer");
    host.open("first");
    host.begin("callback");
    host.open("second");
    host.open_kind(ScopeKind::TryCatch, "third");
    assert_eq!(
        host.close(outer),
        Some(Finding::OutOfOrder(OutOfOrder {
            closing: scope(1, "outer", 0),
            open: StillOpen::Scope(ScopeRef {
                kind: ScopeKind::TryCatch,
                ..scope(5, "third", 0)
            }),
            between: 2,
        }))
    );
}

#[test]
fn scope_closed_while_a_turn_inside_it_is_open_is_reported() {
    let mut host = Host::new(ALL);
    let main = host.open("main");
    let uv_run = host.begin_turn("uv_run");
    assert_eq!(
        host.close(main),
        Some(Finding::OutOfOrder(OutOfOrder {
            closing: scope(1, "main", 1),
            open: StillOpen::Turn(turn(1, "uv_run")),
            between: 0,
        }))
    );
    assert_eq!(host.end_turn(uv_run), [], "ended with the scope around it");
    assert!(host.stack.is_empty());
}

#[test]
fn scope_closed_over_a_forgotten_callback_is_silent() {
    let mut host = Host::new(NOTHING);
    let own = host.open("own");
    host.begin("callback");
    assert!(host.stack.engine_is_below());
    assert_eq!(host.close(own), None);
    assert!(!host.stack.engine_is_below());
    assert!(host.stack.is_empty());
}

#[test]
fn scope_closed_twice_is_reported() {
    let mut host = Host::new(ALL);
    host.open("main");
    let own = host.open("own");
    assert_eq!(host.close(own), None);
    let finding = host.close(own);
    assert_eq!(
        finding,
        Some(Finding::ClosedTwice(ClosedTwice { number: Some(2) }))
    );
    assert_eq!(finding.unwrap().rule(), Rule::OutOfOrder);
    assert_eq!(host.stack.depth(), 1);
}

#[test]
fn handles_are_not_compared_where_more_was_closed_than_opened() {
    let mut host = Host::new(ALL);
    host.open("main");
    let turn = host.begin_turn("turn");
    // As V8 stands when a scope of the turn was closed twice: what it closes the second time is not its own.
    let seen = EngineCounts {
        level: Some(0),
        handles: Some(3),
    };
    let outcome = host.stack.end_turn(turn, seen);
    assert!(outcome.findings.is_empty() && outcome.late.is_none());
}

#[test]
fn orphan_closed_a_second_time_is_reported() {
    let mut host = Host::new(ALL);
    let outer = host.open("outer");
    let inner = host.open("inner");
    assert!(host.close(outer).is_some());
    assert_eq!(host.close(inner), None);
    assert_eq!(
        host.close(inner),
        Some(Finding::ClosedTwice(ClosedTwice { number: Some(2) }))
    );
}

#[test]
fn forgotten_inner_guard_does_not_corrupt_the_depth() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        let outer = host.open("outer");
        let _forgotten = host.open("forgotten");
        assert_eq!(host.stack.depth(), 2);
        assert!(host.close(outer).is_some());
        assert_eq!(host.stack.depth(), 0);
        let next = host.open("next");
        assert_eq!(host.stack.depth(), 1);
        assert_eq!(host.close(next), None);
        assert_eq!(host.stack.depth(), 0);
    }
}

#[test]
fn scopes_around_a_disorder_in_a_turn_still_count() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        host.begin_turn("uv_run");
        let around = host.open("around");
        let outer = host.open("outer");
        let inner = host.open("inner");
        assert!(host.close(outer).is_some());
        assert_eq!(host.stack.depth(), 1);
        assert_eq!(host.close(inner), None);
        host.begin_silent("on_close");
        assert_eq!(host.close(around), None);
        assert_eq!(host.stack.depth(), 0);
    }
}

#[test]
fn scope_opened_after_a_disorder_is_no_part_of_it() {
    let mut host = Host::new(ALL);
    let outer = host.open("outer");
    let inner = host.open("inner");
    assert!(host.close(outer).is_some());
    let next = host.open("next");
    assert_eq!(host.close(inner), None);
    assert_eq!(host.stack.depth(), 1);
    assert_eq!(host.close(next), None);
}

#[test]
fn orphan_that_closes_in_a_later_turn_does_not_hide_the_scopes_of_that_turn() {
    let mut host = Host::new(ALL);
    let outer = host.open("outer");
    let inner = host.open("inner");
    assert!(host.close(outer).is_some());
    let uv_run = host.begin_turn("uv_run");
    assert_eq!(host.close(inner), None);
    let own = host.open("own");
    let callback = host.begin_silent("on_close");
    host.end(callback);
    host.close(own);
    assert_eq!(host.end_turn(uv_run), []);
}

// never-closed

fn never_closed(scope: Opener, turn: crate::describe::turn::TurnRef) -> Finding {
    Finding::NeverClosed(NeverClosed {
        scope,
        ended: Ended::Turn,
        turn: Some(turn),
    })
}

#[test]
fn scope_still_open_at_the_end_of_its_turn_is_reported() {
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
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
    for sees in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(sees);
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
fn of_two_records_the_one_that_the_level_says_is_open_is_blamed() {
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
fn leak_that_only_the_level_knows_of_is_told_as_unseen() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    host.open_unseen();
    assert_eq!(
        host.end_turn(uv_run),
        [never_closed(Opener::Unrecorded, turn(1, "uv_run"))]
    );
}

#[test]
fn leak_is_told_once_and_not_again_by_the_turn_around_nor_the_isolate() {
    for unseen in [false, true] {
        let mut host = Host::new(ALL);
        let main = host.open("main");
        let outer = host.begin_turn("uv_run");
        let inner = host.begin_turn("task");
        if unseen {
            host.open_unseen();
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
    host.open_unseen();
    assert_eq!(
        host.end_isolate().len(),
        1,
        "the level that `late` gave back does not hide another leak"
    );
}

#[test]
fn scope_still_open_at_the_end_of_the_isolate_is_reported() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        assert_eq!(
            host.end_isolate(),
            [Finding::NeverClosed(NeverClosed {
                scope: known(1, "main", 0),
                ended: Ended::Isolate,
                turn: None,
            })]
        );
        assert!(host.stack.is_empty());
    }
}

#[test]
fn leak_of_the_isolate_that_only_the_level_knows_of_is_told_as_unseen() {
    let mut host = Host::new(ALL);
    host.open_unseen();
    assert_eq!(
        host.end_isolate(),
        [Finding::NeverClosed(NeverClosed {
            scope: Opener::Unrecorded,
            ended: Ended::Isolate,
            turn: None,
        })]
    );
}

#[test]
fn scope_that_stands_for_the_engines_own_is_never_leaked() {
    for sees in [HANDLES, NOTHING] {
        let mut host = Host::new(sees);
        let uv_run = host.begin_turn("uv_run");
        host.open_kind(ScopeKind::CallbackScope, "callback_scope");
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn leak_told_as_a_disorder_is_not_told_again_as_never_closed() {
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
fn handles_in_a_leaked_scope_are_not_told_as_growth_of_any_turn() {
    let mut host = Host::new(ALL);
    host.open("main");
    let outer = host.begin_turn("uv_run");
    let inner = host.begin_turn("task");
    host.open("leaked");
    host.make(5);
    assert_eq!(
        host.end_turn(inner),
        [never_closed(known(4, "leaked", 0), turn(2, "task"))]
    );
    assert_eq!(host.end_turn(outer), []);
}

#[test]
fn turn_ended_around_a_turn_inside_it_ends_both() {
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
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

// depth and callbacks

#[test]
fn depth_counts_scopes_since_the_turn_began_and_comes_back_after_it() {
    let mut host = Host::new(NOTHING);
    assert_eq!(host.stack.depth(), 0);
    host.open("main");
    host.open("server");
    assert_eq!(host.stack.depth(), 2);
    let uv_run = host.begin_turn("uv_run");
    assert_eq!(host.stack.depth(), 0);
    let own = host.open("own");
    let caught = host.open_kind(ScopeKind::TryCatch, "caught");
    assert_eq!(host.stack.depth(), 1, "a TryCatch holds no handles");
    let inner = host.begin_turn("task");
    assert_eq!(host.stack.depth(), 0);
    host.end_turn(inner);
    assert_eq!(host.stack.depth(), 1);
    host.close(caught);
    host.close(own);
    assert_eq!(host.stack.depth(), 0);
    host.end_turn(uv_run);
    assert_eq!(host.stack.depth(), 2);
}

#[test]
fn callbacks_ended_out_of_order_are_not_taken_for_open_ones() {
    let mut host = Host::new(NOTHING);
    host.open("main");
    host.begin_turn("uv_run");
    let outer = host.begin_reported("outer");
    let inner = host.begin_silent("inner");
    host.end(outer);
    assert!(!host.stack.engine_is_below());
    assert_eq!(host.end(inner), []);
    host.begin_reported("next");
}

#[test]
fn callback_that_ends_before_a_turn_inside_it_is_not_taken_for_an_open_one() {
    let mut host = Host::new(NOTHING);
    host.open("main");
    host.begin_turn("uv_run");
    let outer = host.begin_reported("outer");
    let inner = host.begin_turn("task");
    host.end(outer);
    assert_eq!(host.end_turn(inner), []);
    host.begin_reported("next");
}

#[test]
fn what_is_not_known_in_one_moment_is_not_guessed() {
    let mut host = Host::new(ALL);
    host.open("main");
    let blind = EngineCounts::default();
    let uv_run = host.stack.begin_turn(place("uv_run"), blind);
    host.make(3);
    assert_eq!(host.end_turn(uv_run), []);
}
