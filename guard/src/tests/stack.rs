//! The depth of the scope stack, and its count of callbacks.

use crate::describe::scope::ScopeKind;
use crate::tests::host::{Host, NOTHING};

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
