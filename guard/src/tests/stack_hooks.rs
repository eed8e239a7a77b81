//! What hooks tell the stack: scopes known by where they lie, and a host that waits.

use super::host::{place, scope};
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::never_closed::StorageReused;
use crate::describe::rules::out_of_order::{ClosedTwice, OutOfOrder, StillOpen};
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::scope::ScopeKind;
use crate::detect::stack::ScopeStack;
use crate::engine::counters::EngineCounts;
use crate::place::Place;

const SCOPE: ScopeKind = ScopeKind::HandleScope;

fn seen(level: u32) -> EngineCounts {
    EngineCounts {
        level: Some(level),
        handles: None,
    }
}

fn code(ip: usize) -> Place {
    Place::code(ip, 0)
}

/// A stack on which a scope was constructed at each of `storages`, the engine's levels counted from 1.
fn constructed(storages: &[usize]) -> ScopeStack {
    let mut stack = ScopeStack::new();
    for (level, &storage) in (1..).zip(storages) {
        assert_eq!(
            stack.reused(SCOPE, code(storage), storage, seen(level)),
            None
        );
        stack.construct_scope(SCOPE, code(storage), storage, seen(level));
    }
    stack
}

#[test]
fn scopes_close_by_where_they_lie() {
    let mut stack = constructed(&[0x300, 0x200, 0x100]);
    assert_eq!(stack.depth(), 3);
    for storage in [0x100, 0x200, 0x300] {
        assert_eq!(stack.destruct_scope(SCOPE, storage, None), None);
    }
    assert!(stack.is_empty());
    assert!(stack.was_empty_once());
}

#[test]
fn the_wrong_order_is_found_and_the_late_close_is_no_second_bug() {
    let mut stack = constructed(&[0x300, 0x200]);
    let Some(Finding::OutOfOrder(OutOfOrder { closing, open, .. })) =
        stack.destruct_scope(SCOPE, 0x300, None)
    else {
        panic!("not found");
    };
    assert_eq!(closing.place, code(0x300));
    assert!(matches!(open, StillOpen::Scope(open) if open.place == code(0x200)));
    assert_eq!(stack.destruct_scope(SCOPE, 0x200, None), None);
    assert!(stack.is_empty());
}

#[test]
fn a_close_of_what_was_opened_out_of_sight_accuses_nobody() {
    // The engine stands one higher than the record, or does not tell.
    for level in [Some(2), None] {
        let mut stack = constructed(&[0x300]);
        assert_eq!(stack.destruct_scope(SCOPE, 0x200, level), None);
        assert_eq!(stack.depth(), 1);
    }
    // A `TryCatch` takes no level away.
    let mut stack = constructed(&[0x300]);
    let closed = stack.destruct_scope(ScopeKind::TryCatch, 0x200, Some(1));
    assert_eq!(closed, None);
}

#[test]
fn a_close_that_takes_the_level_of_another_scope_is_a_second_one_and_told_of_once() {
    let mut stack = constructed(&[0x300, 0x200, 0x100]);
    assert_eq!(stack.destruct_scope(SCOPE, 0x100, Some(3)), None);
    assert_eq!(
        stack.destruct_scope(SCOPE, 0x100, Some(2)),
        Some(Finding::ClosedTwice(ClosedTwice { number: None }))
    );
    // The record has followed the engine, and the scope whose level it was may still close.
    assert_eq!(stack.resync(Some(1)), None);
    assert_eq!(stack.depth(), 1);
    assert_eq!(stack.destruct_scope(SCOPE, 0x200, Some(1)), None);
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, Some(0)), None);
    assert!(stack.is_empty());
}

#[test]
fn memory_that_is_in_use_is_found_wherever_it_lies() {
    // On the machine stack, and in boxes below it, in any order.
    for storages in [&[0x300, 0x200, 0x100][..], &[0x100, 0x300, 0x200], &[0x200]] {
        for &again in storages {
            let mut stack = constructed(storages);
            let inside = seen(u32::try_from(storages.len()).unwrap() + 1);
            let Some(Finding::StorageReused(StorageReused {
                first, again: by, ..
            })) = stack.reused(SCOPE, place("again"), again, inside)
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
    // It stands no higher than inside the one that is said to lie there.
    assert_eq!(stack.reused(SCOPE, place("again"), 0x200, seen(2)), None);
}

#[test]
fn a_scope_whose_memory_was_taken_is_told_of_once_whether_it_is_closed_or_not() {
    for closes in [1, 2] {
        let mut stack = constructed(&[0x300]);
        let turn = stack.begin_turn(place("turn"), seen(1));
        stack.construct_scope(SCOPE, code(1), 0x200, seen(2));
        let inner = stack.begin_turn(place("inner"), seen(2));
        assert!(stack.reused(SCOPE, code(2), 0x200, seen(3)).is_some());
        stack.construct_scope(SCOPE, code(2), 0x200, seen(3));
        assert_eq!(stack.depth(), 1);
        for _ in 0..closes {
            assert_eq!(stack.destruct_scope(SCOPE, 0x200, None), None);
        }
        let left = 3 - closes;
        assert_eq!(stack.end_turn(inner, seen(left)).findings, []);
        assert_eq!(stack.end_turn(turn, seen(left)).findings, []);
        assert_eq!(stack.depth(), 1);
        assert_eq!(stack.destruct_scope(SCOPE, 0x300, None), None);
        assert!(stack.is_empty());
    }
}

#[test]
fn a_guard_adopts_the_scope_that_a_hook_saw_and_only_once() {
    let mut stack = constructed(&[0x300]);
    assert!(!stack.adopt(ScopeKind::TryCatch, place("of another kind")));
    assert!(!stack.adopt(ScopeKind::CallbackScope, place("seen by no hook")));
    assert!(stack.adopt(ScopeKind::EscapableHandleScope, place("guard")));
    assert!(!stack.adopt(SCOPE, place("second guard")));
    assert_eq!(stack.depth(), 1);
    let Some(Finding::StorageReused(StorageReused { first, .. })) =
        stack.reused(SCOPE, place("again"), 0x300, seen(2))
    else {
        panic!("not found");
    };
    assert_eq!(first.kind, ScopeKind::EscapableHandleScope);
    assert_eq!(first.place, place("guard"));
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, None), None);
    assert!(stack.is_empty());
}

#[test]
fn a_guard_without_a_hooked_scope_adopts_nothing() {
    let mut stack = ScopeStack::new();
    assert!(!stack.adopt(SCOPE, place("first")));
    stack.open_scope(SCOPE, place("guard"), seen(1));
    assert!(!stack.adopt(SCOPE, place("guard")));
}

#[test]
fn a_call_is_told_twice_until_javascript_runs() {
    let mut stack = constructed(&[0x300]);
    assert!(!stack.is_being_called(Some(1)));
    let (guard, _) = stack.begin_callback(place("guarded_call"), seen(1));
    assert!(stack.is_being_called(Some(1)));
    assert!(!stack.is_being_called(Some(2)), "native code called it");
    stack.end_callback(guard, seen(1));
    // Of a hook's own callback, the next one is another.
    stack.begin_callback(code(7), seen(1));
    assert!(!stack.is_being_called(Some(1)));
}

/// What a host finds that waits at level 1, with so many handles alive.
fn waits(stack: &mut ScopeStack, handles: u64) -> Option<Finding> {
    stack.host_waits(
        place("pump"),
        EngineCounts {
            level: Some(1),
            handles: Some(handles),
        },
    )
}

fn calls(stack: &mut ScopeStack) {
    let (id, _) = stack.begin_callback(code(7), seen(1));
    stack.end_callback(id, seen(1));
}

#[test]
fn a_host_that_waits_again_in_one_scope_has_ended_a_turn() {
    let mut stack = ScopeStack::new();
    stack.open_scope(SCOPE, place("main"), seen(1));
    assert_eq!(waits(&mut stack, 10), None);
    // It pumps until there is nothing to do.
    assert_eq!(waits(&mut stack, 10), None);
    for (number, handles) in [(1, 12), (2, 14)] {
        calls(&mut stack);
        let Some(Finding::OuterGrowth(OuterGrowth {
            ended,
            opener,
            turn,
            grown,
        })) = waits(&mut stack, handles)
        else {
            panic!("not found");
        };
        assert_eq!((ended, grown), (Ended::Turn, 2));
        assert_eq!((turn.number, turn.place), (number, place("pump")));
        assert_eq!(opener, Opener::Known(scope(1, "main", 0)));
    }
    calls(&mut stack);
    assert_eq!(waits(&mut stack, 14), None, "nothing left behind");
}

#[test]
fn a_host_that_waits_elsewhere_or_marks_its_turns_is_left_alone() {
    // In a scope of each turn.
    let mut stack = ScopeStack::new();
    for _ in 0..3 {
        let (id, _) = stack.open_scope(SCOPE, place("turn"), seen(1));
        assert_eq!(waits(&mut stack, 10), None);
        calls(&mut stack);
        stack.close_scope(id);
    }
    // With nothing open.
    assert_eq!(waits(&mut stack, 10), None);
    calls(&mut stack);
    assert_eq!(waits(&mut stack, 12), None);
    // In a scope that is not the engine's innermost.
    stack.open_scope(SCOPE, place("main"), seen(1));
    let unseen = |handles| EngineCounts {
        level: Some(2),
        handles: Some(handles),
    };
    assert_eq!(stack.host_waits(place("pump"), unseen(10)), None);
    calls(&mut stack);
    assert_eq!(stack.host_waits(place("pump"), unseen(12)), None);
    // Where turns are marked.
    let turn = stack.begin_turn(place("marked"), seen(1));
    stack.end_turn(turn, seen(1));
    assert_eq!(waits(&mut stack, 10), None);
    calls(&mut stack);
    assert_eq!(waits(&mut stack, 12), None);
}
