//! `redundant-scope`: the use of one scope. `record/high_water.rs` counts the uses of a place and tests the advice.

use crate::describe::scope::ScopeKind;
use crate::detect::stack::ScopeStack;
use crate::detect::stack::holdings::ScopeStats;
use crate::engine::counters::Cursor;
use crate::tests::host::{SCOPE, at_level, place};

/// A block of handles, with `handles` of its 100 in use.
fn cursor(handles: usize) -> Option<Cursor> {
    Some(Cursor {
        next: 0x1000 + handles * size_of::<usize>(),
        limit: 0x1000 + 100 * size_of::<usize>(),
    })
}

#[test]
fn a_scope_is_of_use_if_it_held_handles_or_served_a_callback() {
    for (handles, calls) in [(0, false), (3, false), (0, true)] {
        let mut stack = ScopeStack::new();
        stack.open_scope(SCOPE, place("own"), at_level(1));
        stack.note_cursor(cursor(10));
        if calls {
            let (id, _) = stack.begin_callback(place("on_read"), at_level(1));
            stack.end_callback(id, at_level(1));
        }
        assert_eq!(
            stack.innermost_stats(cursor(10 + handles), None),
            Some(ScopeStats {
                kind: SCOPE,
                place: place("own"),
                held: Some(handles as u64),
                served: calls,
            })
        );
    }
}

#[test]
fn a_try_catch_holds_no_handles_so_it_gets_no_advice() {
    let mut stack = ScopeStack::new();
    stack.open_scope(ScopeKind::TryCatch, place("guarded"), at_level(0));
    stack.note_cursor(cursor(10));
    assert_eq!(stack.innermost_stats(cursor(10), None), None);
}
