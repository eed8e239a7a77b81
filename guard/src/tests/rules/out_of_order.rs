//! `out-of-order`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::rules::out_of_order::{ClosedTwice, NotOpen, OutOfOrder, StillOpen};
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::detect::stack::ScopeStack;
use crate::engine::counters::EngineCounts;
use crate::engine::try_catches::TryCatches;
use crate::place::Place;
use crate::tests::host::{ALL, Host, NOTHING, SCOPE, at_level, code, constructed, scope, turn};

/// Where the hooked scopes are destroyed.
const HERE: Place = Place::code(0x10, 0);

#[test]
fn outer_scope_closed_while_an_inner_one_is_open_is_reported() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
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
        assert_eq!(host.close(inner), None, "reported before");
        assert_eq!(host.stack.depth(), 0);
        assert!(host.stack.is_empty());
    }
}

#[test]
fn scopes_closed_in_reverse_order_are_silent() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
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
        Some(Finding::ClosedTwice(ClosedTwice { number: 2 }))
    );
    assert_eq!(finding.unwrap().rule(), Rule::OutOfOrder);
    assert_eq!(host.stack.depth(), 1);
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
        Some(Finding::ClosedTwice(ClosedTwice { number: 2 }))
    );
}

#[test]
fn forgotten_inner_guard_does_not_corrupt_the_depth() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
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
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
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

#[test]
fn the_wrong_order_of_hooked_scopes_is_reported_and_the_late_close_is_silent() {
    let mut stack = constructed(&[0x300, 0x200]);
    let Some(Finding::OutOfOrder(OutOfOrder { closing, open, .. })) =
        stack.destruct_scope(SCOPE, 0x300, HERE, None)
    else {
        panic!("not found");
    };
    assert_eq!(closing.place, code(0x300));
    assert!(matches!(open, StillOpen::Scope(open) if open.place == code(0x200)));
    assert_eq!(stack.destruct_scope(SCOPE, 0x200, HERE, None), None);
    assert!(stack.is_empty());
}

#[test]
fn the_close_of_an_unrecorded_scope_is_silent() {
    // The engine is one level higher than the record, or its level is unknown.
    for level in [Some(2), None] {
        let mut stack = constructed(&[0x300]);
        assert_eq!(stack.destruct_scope(SCOPE, 0x200, HERE, level), None);
        assert_eq!(stack.depth(), 1);
    }
}

#[test]
fn a_close_that_takes_the_level_of_another_scope_is_a_second_close_and_is_reported_once() {
    let mut stack = constructed(&[0x300, 0x200, 0x100]);
    assert_eq!(stack.destruct_scope(SCOPE, 0x100, HERE, Some(3)), None);
    assert_eq!(
        stack.destruct_scope(SCOPE, 0x100, HERE, Some(2)),
        Some(Finding::NotOpen(NotOpen {
            kind: SCOPE,
            place: HERE
        }))
    );
    // The record has followed the engine, and the scope whose level was taken may still close.
    assert_eq!(stack.resync(Some(1)), None);
    assert_eq!(stack.depth(), 1);
    assert_eq!(stack.destruct_scope(SCOPE, 0x200, HERE, Some(1)), None);
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, HERE, Some(0)), None);
    assert!(stack.is_empty());
}

const TRY_CATCH: ScopeKind = ScopeKind::TryCatch;

/// A `HandleScope` at 0x300 with a `TryCatch` at each address in it.
fn with_try_catches(addresses: &[usize]) -> ScopeStack {
    let mut stack = constructed(&[0x300]);
    for &storage in addresses {
        let late =
            stack.construct_scope(TRY_CATCH, code(storage), storage, EngineCounts::default());
        assert_eq!(late, None);
    }
    stack
}

#[test]
fn a_try_catch_that_the_engine_does_not_have_innermost_is_reported_where_it_is_destroyed() {
    // Destroyed twice, with nothing else open and with another one around it.
    for (outer, innermost) in [(&[][..], 0), (&[0x200], 0x200)] {
        let mut stack = with_try_catches(outer);
        assert!(!stack.knows_storage(0x100));
        let next = innermost;
        let found = stack.destruct_try_catch(0x100, HERE, TryCatches { innermost, next });
        let kind = TRY_CATCH;
        assert_eq!(found, Some(Finding::NotOpen(NotOpen { kind, place: HERE })));
        for &storage in outer {
            let closed = stack.destruct_scope(TRY_CATCH, storage, HERE, None);
            assert_eq!(closed, None);
        }
        assert_eq!(stack.destruct_scope(SCOPE, 0x300, HERE, None), None);
    }
}

#[test]
fn a_try_catch_destroyed_at_another_address_leaves_the_scope_around_it_in_order() {
    let mut stack = with_try_catches(&[0x200, 0x180]);
    let around = TryCatches {
        innermost: 0x180,
        next: 0x200,
    };
    assert!(stack.destruct_try_catch(0x100, HERE, around).is_some());
    assert_eq!(stack.destruct_scope(TRY_CATCH, 0x200, HERE, None), None);
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, HERE, None), None);
}

#[test]
fn an_unrecorded_try_catch_that_the_engine_has_innermost_is_silent() {
    let mut stack = with_try_catches(&[0x200]);
    let around = TryCatches {
        innermost: 0x100,
        next: 0x200,
    };
    assert_eq!(stack.destruct_try_catch(0x100, HERE, around), None);
    assert_eq!(stack.destruct_scope(TRY_CATCH, 0x200, HERE, None), None);
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, HERE, None), None);
}

#[test]
fn a_try_catch_closed_twice_by_its_guard_is_not_reported_again_by_the_hook() {
    let mut host = Host::new(ALL);
    let own = host.open_kind(TRY_CATCH, "own");
    let innermost = 0x200;
    let around = TryCatches { innermost, next: 0 };
    assert_eq!(host.close(own), None);
    assert!(host.close(own).is_some());
    assert_eq!(host.stack.destruct_try_catch(0x100, HERE, around), None);
    let again = host.stack.destruct_try_catch(0x100, HERE, around);
    assert!(again.is_some(), "of another scope");
}

#[test]
fn a_scope_destroyed_once_more_than_any_was_opened_is_reported() {
    let mut stack = ScopeStack::new();
    // The engine's level has been taken down before.
    stack.construct_scope(SCOPE, code(0x300), 0x300, at_level(0));
    let again = stack.destruct_scope(SCOPE, 0x200, HERE, Some(0));
    let (kind, place) = (SCOPE, HERE);
    assert_eq!(again, Some(Finding::NotOpen(NotOpen { kind, place })));
}
