//! Scopes and calls that a hook records, and the guards of the same scopes and calls.

use crate::describe::finding::Finding;
use crate::describe::rules::never_closed::StorageReused;
use crate::describe::scope::ScopeKind;
use crate::detect::stack::ScopeStack;
use crate::tests::host::{SCOPE, at_level, code, constructed, place};

#[test]
fn hooked_scopes_close_by_their_address() {
    let mut stack = constructed(&[0x300, 0x200, 0x100]);
    assert_eq!(stack.depth(), 3);
    for storage in [0x100, 0x200, 0x300] {
        assert_eq!(stack.destruct_scope(SCOPE, storage, code(0x10), None), None);
    }
    assert!(stack.is_empty());
    assert!(stack.was_empty_once());
}

#[test]
fn a_guard_adopts_the_scope_that_a_hook_recorded_and_only_once() {
    let mut stack = constructed(&[0x300]);
    assert!(!stack.adopt(ScopeKind::TryCatch, place("of another kind")));
    assert!(!stack.adopt(ScopeKind::CallbackScope, place("recorded by no hook")));
    assert!(stack.adopt(ScopeKind::EscapableHandleScope, place("guard")));
    assert!(!stack.adopt(SCOPE, place("second guard")));
    assert_eq!(stack.depth(), 1);
    let Some(Finding::StorageReused(StorageReused { first, .. })) =
        stack.claim_storage(SCOPE, place("again"), 0x300, at_level(2))
    else {
        panic!("not found");
    };
    assert_eq!(first.kind, ScopeKind::EscapableHandleScope);
    assert_eq!(first.place, place("guard"));
    assert_eq!(stack.destruct_scope(SCOPE, 0x300, code(0x10), None), None);
    assert!(stack.is_empty());
}

#[test]
fn a_guard_without_a_hooked_scope_adopts_nothing() {
    let mut stack = ScopeStack::new();
    assert!(!stack.adopt(SCOPE, place("first")));
    stack.open_scope(SCOPE, place("guard"), at_level(1));
    assert!(!stack.adopt(SCOPE, place("guard")));
}

#[test]
fn a_guard_and_a_hook_record_one_call_until_javascript_runs() {
    let mut stack = constructed(&[0x300]);
    assert!(!stack.call_is_recorded(Some(1)));
    let (guard, _) = stack.begin_callback(place("guarded_call"), at_level(1));
    assert!(stack.call_is_recorded(Some(1)));
    assert!(!stack.call_is_recorded(Some(2)), "native code called it");
    stack.end_callback(guard, at_level(1));
    // A callback that a hook recorded is not a guard's: the next call is another one.
    stack.begin_callback(code(7), at_level(1));
    assert!(!stack.call_is_recorded(Some(1)));
}
