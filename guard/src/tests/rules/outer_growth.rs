//! `outer-growth`: what is reported, what is added to an earlier report instead, and what stays silent.

use crate::config::rule::Rule;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::makers::Makers;
use crate::describe::opener::Opener;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::scope::ScopeKind;
use crate::describe::turn::TurnRef;
use crate::detect::stack::ScopeStack;
use crate::engine::counters::EngineCounts;
use crate::tests::host::{
    ALL, HANDLES, Host, LEVEL, NOTHING, SCOPE, at_level, code, known, place, scope, turn,
};

fn growth_of_turn(opener: Opener, turn: TurnRef, grown: u64) -> Finding {
    Finding::OuterGrowth(OuterGrowth {
        ended: Ended::Turn,
        opener,
        turn,
        grown,
        makers: Makers::default(),
    })
}

#[test]
fn handles_left_by_a_callback_without_a_report_are_reported() {
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
        makers: Makers::default(),
    });
    assert_eq!(host.end(id), [expected]);
    assert_eq!(expected.rule(), Rule::OuterGrowth);
    assert_eq!(host.end_turn(uv_run), [], "reported before");
}

#[test]
fn handles_left_by_a_reported_callback_are_added_to_its_report() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.make(3);
        assert_eq!(host.end(id), []);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.late_handles, [3]);
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
    assert!(host.late_handles.is_empty());
}

#[test]
fn handles_left_by_a_turn_are_reported() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
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
    for readable in [LEVEL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.make(2);
        assert_eq!(host.end(id), []);
        host.make(2);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.late_handles, [0]);
    }
}

#[test]
fn growth_in_nested_turns_is_reported_once() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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

#[test]
fn handles_created_before_a_reported_callback_are_added_to_its_report() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        host.make(2);
        let id = host.begin_reported("on_close");
        assert_eq!(host.late_handles, [2]);
        host.make(3);
        assert_eq!(host.end(id), []);
        assert_eq!(host.late_handles, [5]);
        host.make(4);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(host.late_handles, [9]);
    }
}

#[test]
fn handles_between_two_reported_callbacks_are_added_to_the_second_report() {
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
    assert_eq!(host.late_handles, [1, 1110]);
}

#[test]
fn a_scope_that_opens_ends_late_handles() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let id = host.begin_reported("on_close");
        host.end(id);
        host.make(2);
        assert!(host.stack.wants_handles());
        let next = host.open("next");
        assert_eq!(host.late_handles, [2]);
        assert!(!host.stack.wants_handles());
        host.make(50);
        host.close(next);
        host.make(3);
        assert_eq!(
            host.end_turn(uv_run),
            [growth_of_turn(known(1, "main", 1), turn(1, "uv_run"), 3)]
        );
        assert_eq!(host.late_handles, [2]);
    }
}

#[test]
fn a_scope_inside_a_reported_callback_adds_no_handles_of_its_own() {
    for readable in [ALL, HANDLES] {
        let mut host = Host::new(readable);
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
        assert_eq!(host.late_handles, [3]);
        host.make(4);
        assert_eq!(host.end_turn(uv_run), []);
        assert_eq!(
            host.late_handles,
            [7],
            "handles created after the callback are late"
        );
    }
}

#[test]
fn handles_of_a_scope_without_a_guard_are_no_late_handles() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let id = host.begin_reported("on_close");
    host.end(id);
    host.open_unrecorded();
    host.make(50);
    let native = host.open("native");
    host.close(native);
    host.close_unrecorded();
    assert_eq!(host.end_turn(uv_run), []);
    assert_eq!(host.late_handles, [0]);
}

#[test]
fn handles_of_a_reported_callback_inside_another_are_added_once() {
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
    assert_eq!(host.late_handles.iter().sum::<u64>(), 111);
    assert_eq!(host.late_handles, [100, 11]);
}

#[test]
fn growth_of_a_turn_inside_a_reported_callback_is_reported_once() {
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
    assert_eq!(host.late_handles, [1]);
}

#[test]
fn handles_that_a_checkpoint_leaves_are_its_own() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let checkpoint = host.begin_checkpoint("drain");
    assert!(host.stack.callback_is_exposed());
    host.make(2);
    assert_eq!(
        host.end(checkpoint),
        [Finding::OuterGrowth(OuterGrowth {
            ended: Ended::Callback(place("drain")),
            opener: known(1, "main", 1),
            turn: turn(1, "uv_run"),
            grown: 2,
            makers: Makers::default(),
        })]
    );
    assert_eq!(host.end_turn(uv_run), []);
    // In a scope of its turn they end with that scope.
    let uv_run = host.begin_turn("uv_run");
    let own = host.open("own");
    let checkpoint = host.begin_checkpoint("drain");
    host.make(2);
    assert_eq!(host.end(checkpoint), []);
    assert_eq!(host.close(own), None);
    assert_eq!(host.end_turn(uv_run), []);
}

#[test]
fn a_callback_in_a_scope_of_its_turn_is_not_exposed() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    host.open("own");
    let callback = host.begin_silent("on_close");
    assert!(!host.stack.callback_is_exposed());
    host.make(3);
    assert_eq!(host.end(callback), []);
}

#[test]
fn handles_are_not_compared_where_more_was_closed_than_opened() {
    let mut host = Host::new(ALL);
    host.open("main");
    let turn = host.begin_turn("turn");
    // The state after a scope of the turn was closed twice: the second close ended the scope around the turn.
    let counts = EngineCounts {
        level: Some(0),
        handles: Some(3),
    };
    let outcome = host.stack.end_turn(turn, counts);
    assert!(outcome.findings.is_empty() && outcome.late.is_none());
}

#[test]
fn growth_is_not_guessed_where_the_counts_at_the_beginning_are_unknown() {
    let mut host = Host::new(ALL);
    host.open("main");
    let blind = EngineCounts::default();
    let uv_run = host.stack.begin_turn(place("uv_run"), blind);
    host.make(3);
    assert_eq!(host.end_turn(uv_run), []);
}

/// Pumps the engine at level 1 with `handles` alive.
fn pump(stack: &mut ScopeStack, handles: u64) -> Option<Finding> {
    stack.infer_turn(
        place("pump"),
        EngineCounts {
            level: Some(1),
            handles: Some(handles),
        },
    )
}

fn call(stack: &mut ScopeStack) {
    let (id, _) = stack.begin_callback(code(7), at_level(1));
    stack.end_callback(id, at_level(1));
}

#[test]
fn a_host_that_pumps_again_in_one_scope_has_ended_a_turn() {
    let mut stack = ScopeStack::new();
    stack.open_scope(SCOPE, place("main"), at_level(1));
    assert_eq!(pump(&mut stack, 10), None);
    // A host may pump until there is nothing to do.
    assert_eq!(pump(&mut stack, 10), None);
    for (number, handles) in [(1, 12), (2, 14)] {
        call(&mut stack);
        let Some(Finding::OuterGrowth(OuterGrowth {
            ended,
            opener,
            turn,
            grown,
            ..
        })) = pump(&mut stack, handles)
        else {
            panic!("not found");
        };
        assert_eq!((ended, grown), (Ended::Turn, 2));
        assert_eq!((turn.number, turn.place), (number, place("pump")));
        assert_eq!(opener, Opener::Known(scope(1, "main", 0)));
    }
    call(&mut stack);
    assert_eq!(pump(&mut stack, 14), None, "nothing left behind");
}

#[test]
fn a_host_that_pumps_elsewhere_or_marks_its_turns_gets_no_verdict() {
    // In a scope of each turn.
    let mut stack = ScopeStack::new();
    for _ in 0..3 {
        let (id, _) = stack.open_scope(SCOPE, place("turn"), at_level(1));
        assert_eq!(pump(&mut stack, 10), None);
        call(&mut stack);
        stack.close_scope(id);
    }
    // With nothing open.
    assert_eq!(pump(&mut stack, 10), None);
    call(&mut stack);
    assert_eq!(pump(&mut stack, 12), None);
    // In a scope that is not the engine's innermost.
    stack.open_scope(SCOPE, place("main"), at_level(1));
    let deeper = |handles| EngineCounts {
        level: Some(2),
        handles: Some(handles),
    };
    assert_eq!(stack.infer_turn(place("pump"), deeper(10)), None);
    call(&mut stack);
    assert_eq!(stack.infer_turn(place("pump"), deeper(12)), None);
    // Where turns are marked.
    let turn = stack.begin_turn(place("marked"), at_level(1));
    stack.end_turn(turn, at_level(1));
    assert_eq!(pump(&mut stack, 10), None);
    call(&mut stack);
    assert_eq!(pump(&mut stack, 12), None);
}

/// What the engine's own callback sees, where no hook sees each handle.
#[test]
fn a_call_of_the_engine_directly_under_a_turn_shows_the_handles_made_before_it() {
    let mut host = Host::new(ALL);
    host.open("main");
    let call = |host: &mut Host| {
        host.open_unrecorded();
        let counts = host.counts();
        let grown = host.stack.grown_at_call(counts).is_some();
        host.close_unrecorded();
        grown
    };
    host.make(2);
    assert!(!call(&mut host), "no turn");
    let uv_run = host.begin_turn("uv_run");
    assert!(!call(&mut host), "no handle of this turn");
    host.make(1);
    assert!(call(&mut host));
    assert!(!call(&mut host), "no further handle");
    let own = host.open("own");
    host.make(1);
    assert!(!call(&mut host), "in a scope of the turn");
    host.close(own);
    assert!(!call(&mut host), "that scope is closed");
    host.make(1);
    assert!(call(&mut host));
    assert_eq!(host.end_turn(uv_run).len(), 1);
}

#[test]
fn a_turn_that_is_inferred_is_watched_from_one_pump_to_the_next_in_its_scope() {
    let mut stack = ScopeStack::new();
    let (main, _) = stack.open_scope(SCOPE, place("main"), at_level(1));
    assert_eq!(stack.pumped(Some(1)), None, "no pump yet");
    for number in 1..3 {
        assert_eq!(stack.end_watch_of_pumped(), (number > 1).then_some(main));
        assert_eq!(pump(&mut stack, 10), None);
        assert_eq!(stack.pumped(Some(1)), Some((main, number)));
        assert_eq!(
            stack.pumped(Some(2)),
            None,
            "a scope that is not recorded is open"
        );
        assert!(!stack.is_in_turn(), "not watched yet");
        stack.watch_pumped();
        assert!(stack.is_in_turn());
        call(&mut stack);
    }
    stack.close_scope(main);
    assert!(!stack.is_in_turn(), "the loop has ended");
    assert_eq!(
        stack.end_watch_of_pumped(),
        Some(main),
        "its seal is still to be lifted"
    );
    assert_eq!(stack.end_watch_of_pumped(), None);
}

#[test]
fn a_host_that_marks_its_turns_has_none_watched_that_are_inferred() {
    let mut host = Host::new(ALL);
    host.open("main");
    assert_eq!(pump(&mut host.stack, 0), None);
    assert!(host.stack.pumped(Some(1)).is_some());
    let turn = host.begin_turn("uv_run");
    assert!(host.stack.is_in_turn());
    host.end_turn(turn);
    assert_eq!(host.stack.pumped(Some(1)), None);
}
