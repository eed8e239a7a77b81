//! `scope-growth`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::rules::scope_growth::ScopeGrowth;
use crate::describe::scope::ScopeKind;
use crate::detect::blocks::Blocks;
use crate::tests::host::{ALL, Host, place, scope};
use std::time::Duration;

/// Handles in a block.
const SIZE: u64 = 1000;

/// A host whose innermost scope begins blocks, `calls` calls apart.
struct Filler {
    host: Host,
    blocks: Blocks,
    index: usize,
    now: Duration,
}

impl Filler {
    fn new() -> Self {
        Self {
            host: Host::new(ALL),
            blocks: Blocks::new(),
            index: 0,
            now: Duration::ZERO,
        }
    }

    /// Begins a block after `calls` calls and `seconds`. Returns the finding, if the scope gets one.
    fn fill(&mut self, calls: u32, seconds: u64) -> Option<Finding> {
        for _ in 0..calls {
            let (callback, _) = self.host.begin("on_close");
            self.host.end(callback);
        }
        self.now += Duration::from_secs(seconds);
        self.host.make(SIZE);
        let level = self.host.counts().level.unwrap();
        let blocks = self.blocks.begin(self.index, level);
        self.index += 1;
        let filling = self
            .host
            .stack
            .begin_block(level, blocks, self.now, |opener| opener)?;
        filling.add_sample(place("filler"));
        self.host.stack.scope_growth(SIZE, |_| None)
    }

    /// Begins blocks as a loop of calls does. Returns the number of blocks after which it is found.
    fn fill_by_calls(&mut self, blocks: usize) -> Option<usize> {
        (1..=blocks).find(|_| self.fill(2000, 0).is_some())
    }

    /// Closes the scopes that took all blocks.
    fn gave_back(&mut self) {
        self.index = 0;
    }
}

#[test]
fn a_scope_that_a_loop_of_calls_fills_is_reported() {
    let mut filler = Filler::new();
    filler.host.open("main");
    assert_eq!(filler.fill_by_calls(11), None);
    let found = filler.fill(2000, 0).unwrap();
    assert_eq!(found.rule(), Rule::ScopeGrowth);
    assert_eq!(
        found,
        Finding::ScopeGrowth(ScopeGrowth {
            scope: scope(1, "main", 0),
            held: 11 * SIZE,
            begun: 18_000,
            lasted: Duration::ZERO,
            filler: Some(place("filler")),
            of_samples: 4,
            samples: 4,
            inside: None,
        })
    );
}

#[test]
fn a_scope_that_an_array_fills_is_not() {
    let mut filler = Filler::new();
    filler.host.open("main");
    assert!((0..1000).all(|_| filler.fill(0, 0).is_none()));
}

#[test]
fn a_scope_that_is_filled_slowly_is_reported_after_a_minute() {
    let mut filler = Filler::new();
    filler.host.open("main");
    let found = (1..=10).find(|_| filler.fill(0, 20).is_some());
    assert_eq!(found, Some(6), "a minute after the third block");
}

#[test]
fn scopes_that_close_are_not_added_up() {
    let mut filler = Filler::new();
    for _ in 0..20 {
        let batch = filler.host.open("batch");
        assert_eq!(filler.fill_by_calls(6), None);
        filler.host.close(batch);
        filler.gave_back();
    }
}

#[test]
fn an_opener_whose_scopes_close_is_judged_by_what_they_took() {
    let mut filler = Filler::new();
    let batch = filler.host.open("batch");
    assert_eq!(filler.fill_by_calls(4), None);
    filler.host.close(batch);
    filler.gave_back();
    // Another scope must fill before the first is known to be closed.
    filler.host.open("batch");
    assert_eq!(filler.fill_by_calls(31), None);
    assert!(filler.fill(2000, 0).is_some(), "eight times as much");
}

#[test]
fn a_scope_of_the_engines_own_is_nobodys() {
    let mut unrecorded = Filler::new();
    unrecorded.host.open("main");
    unrecorded.host.open_unrecorded();
    assert_eq!(unrecorded.fill_by_calls(100), None);
    let mut callback = Filler::new();
    callback.host.open_unrecorded();
    callback
        .host
        .open_kind(ScopeKind::CallbackScope, "callback");
    assert_eq!(callback.fill_by_calls(100), None);
}

#[test]
fn a_scope_that_turns_fill_is_judged_by_them() {
    let mut filler = Filler::new();
    filler.host.open("main");
    let turn = filler.host.begin_turn("loop");
    assert_eq!(filler.fill_by_calls(100), None);
    filler.host.end_turn(turn);
    assert_eq!(filler.fill_by_calls(100), None, "after it");
}

#[test]
fn a_scope_that_is_filled_between_turns_is_reported() {
    let mut filler = Filler::new();
    filler.host.open("main");
    for _ in 0..11 {
        assert_eq!(filler.fill(2000, 0), None);
        let turn = filler.host.begin_turn("loop");
        filler.host.end_turn(turn);
    }
    assert!(filler.fill(2000, 0).is_some());
}

#[test]
fn a_scope_is_not_judged_where_turns_are_inferred() {
    let mut filler = Filler::new();
    filler.host.open("main");
    for _ in 0..50 {
        assert_eq!(filler.fill(2000, 0), None);
        let counts = filler.host.counts();
        filler.host.stack.infer_turn(place("pump"), counts);
    }
}

#[test]
fn an_inner_scope_that_closes_does_not_hide_the_outer_one() {
    let mut filler = Filler::new();
    filler.host.open("main");
    for _ in 0..11 {
        assert_eq!(filler.fill(2000, 0), None);
        let inner = filler.host.open("inner");
        assert_eq!(filler.fill(0, 0), None);
        assert_eq!(filler.fill(0, 0), None);
        filler.host.close(inner);
        filler.index -= 2;
    }
    assert!(filler.fill(2000, 0).is_some());
}
