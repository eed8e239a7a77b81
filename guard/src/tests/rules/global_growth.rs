//! `global-growth`: the persistent handles of an isolate, turn by turn.

use crate::describe::finding::Finding;
use crate::describe::rules::global_growth::{GlobalGrowth, GlobalMaker, Steps};
use crate::detect::stack::ScopeStack;
use crate::engine::counters::EngineCounts;
use crate::place::Place;
use crate::tests::host::{SCOPE, at_level, place};
use std::time::Duration;

const TICK: Duration = Duration::from_secs(10);

/// Runs turns of a host, after each of which `alive` returns the number of persistent handles alive; all of them at one time.
fn turns(stack: &mut ScopeStack, turns: u64, alive: impl Fn(u64) -> u64) {
    for turn in 1..=turns {
        let findings = turn_at(stack, Duration::ZERO, alive(turn));
        assert_eq!(findings, None, "at turn {turn}");
    }
}

/// A full collection.
fn collect(stack: &mut ScopeStack) {
    stack.collection_begins();
    stack.collection_ends(true);
}

fn turn_at(stack: &mut ScopeStack, now: Duration, alive: u64) -> Option<Finding> {
    let id = stack.begin_turn(place("loop"), EngineCounts::default());
    stack.end_turn(id, EngineCounts::default());
    if !stack.persistent_handles_are_due() {
        return None;
    }
    collect(stack);
    stack.look_at_persistent_handles(now, TICK, false, || Some(alive))
}

/// The finding after turns that each left as many handles as `alive` returns, and after the host has reset `reset` of them.
fn life(length: u64, alive: impl Fn(u64) -> u64, reset: u64) -> Option<Finding> {
    let mut stack = ScopeStack::new();
    turns(&mut stack, length, &alive);
    stack.judge_persistent_handles(false, || Some(alive(length) - reset))
}

fn growth(grown: u64, alive: u64, steps: u64) -> Option<Finding> {
    Some(Finding::GlobalGrowth(GlobalGrowth {
        grown,
        alive,
        steps,
        counted_in: Steps::Turns,
        counted: 0,
        maker: None,
    }))
}

#[test]
fn one_handle_left_by_each_turn_is_found_at_the_end_with_its_exact_number() {
    assert_eq!(life(300, |turn| 5 + turn, 0), growth(284, 305, 284));
    assert_eq!(life(3000, |turn| turn, 1), growth(2983, 2999, 2984));
    assert_eq!(
        life(3000, |turn| turn / 10, 0),
        growth(299, 300, 2984),
        "every tenth turn"
    );
}

#[test]
fn the_life_is_judged_once() {
    let mut stack = ScopeStack::new();
    turns(&mut stack, 300, |turn| turn);
    assert!(
        stack
            .judge_persistent_handles(false, || Some(300))
            .is_some()
    );
    assert_eq!(stack.judge_persistent_handles(false, || Some(300)), None);
}

#[test]
fn right_hosts_are_silent() {
    type Alive = fn(u64) -> u64;
    let hosts: [(&str, Alive); 7] = [
        ("nothing grows", |_| 3),
        ("a cache fills and stays full", |turn| turn.min(200)),
        (
            "a cache of some hundred keys, each turn one of them",
            |turn| (300.0 * (1.0 - (-(turn as f64) / 100.0).exp())) as u64,
        ),
        ("a pool breathes", |turn| 50 + turn % 64),
        ("each handle is reset some turns later", |turn| turn.min(4)),
        ("a start-up of 2,000 registrations", |turn| match turn {
            0..50 => turn * 40,
            _ => 2000,
        }),
        ("they sink", |turn| 10_000 - turn.min(9000)),
    ];
    for (host, alive) in hosts {
        for length in [1, 20, 250, 1000, 10_000] {
            // A host that ends while its cache fills looks like a leak, and is not among these.
            if length == 250 && (host.contains("cache")) {
                continue;
            }
            assert_eq!(life(length, alive, 0), None, "{host}, {length} turns");
        }
    }
}

#[test]
fn too_few_turns_and_too_few_handles_are_silent() {
    assert_eq!(life(130, |turn| turn, 0), None, "turns");
    assert_eq!(life(1000, |turn| turn / 12, 0), None, "handles");
}

#[test]
fn handles_that_the_host_resets_before_the_end_are_no_leak() {
    assert_eq!(life(1000, |turn| turn, 1000), None);
    assert_eq!(life(1000, |turn| turn, 500), None);
}

#[test]
fn an_engine_that_counts_none_is_asked_once() {
    let mut stack = ScopeStack::new();
    let mut asked = 0;
    for _ in 0..100 {
        let id = stack.begin_turn(place("loop"), EngineCounts::default());
        stack.end_turn(id, EngineCounts::default());
        if stack.persistent_handles_are_due() {
            stack.look_at_persistent_handles(Duration::ZERO, TICK, false, || {
                asked += 1;
                None
            });
        }
    }
    assert_eq!(asked, 1);
}

/// Runs 64 turns for each tick, after which as many handles are alive as `alive` has. Returns the ticks with a finding.
fn ticks(alive: &[u64]) -> Vec<usize> {
    let mut stack = ScopeStack::new();
    let mut found = Vec::new();
    for (number, &alive) in alive.iter().enumerate() {
        for _ in 0..64 {
            let now = TICK * u32::try_from(number).unwrap();
            if turn_at(&mut stack, now, alive).is_some() {
                found.push(number);
            }
        }
    }
    found
}

#[test]
fn three_ticks_that_each_grow_by_much_are_found_and_again_after_three_more() {
    let alive: Vec<u64> = (0..8).map(|tick| tick * 4000).collect();
    assert_eq!(ticks(&alive), [3, 6]);
}

#[test]
fn ticks_that_grow_by_little_or_not_in_a_row_are_silent() {
    const NEVER: [usize; 0] = [];
    assert_eq!(ticks(&[0, 3000, 6000, 9000]), NEVER, "not 10,000 yet");
    assert_eq!(ticks(&[0, 3000, 6000, 9000, 12_000]), [4]);
    assert_eq!(ticks(&[0, 9000, 9000, 18_000, 27_000, 27_000]), NEVER);
    assert_eq!(
        ticks(&[0, 30_000, 30_001, 30_002, 30_003]),
        NEVER,
        "a cache that fills"
    );
}

#[test]
fn who_makes_them_is_counted_from_when_they_grow() {
    let mut stack = ScopeStack::new();
    let makers = [place("on_event"), place("on_read")];
    for turn in 1..=300_u64 {
        assert_eq!(stack.counts_makers(), turn > 80, "at turn {turn}");
        let address = usize::try_from(turn).unwrap();
        stack.persistent_handle_made(address, || makers[0]);
        stack.persistent_handle_made(1000 + address, || makers[1]);
        stack.persistent_handle_reset(1000 + address);
        turn_at(&mut stack, Duration::ZERO, turn);
    }
    let finding = stack.judge_persistent_handles(false, || Some(300));
    let Some(Finding::GlobalGrowth(growth)) = finding else {
        panic!("{finding:?}");
    };
    assert_eq!(growth.counted, 440);
    let maker = GlobalMaker {
        place: makers[0],
        made: 220,
        reset: 0,
    };
    assert_eq!(growth.maker, Some(maker));
}

#[test]
fn nobody_is_named_where_no_one_place_makes_half() {
    let mut stack = ScopeStack::new();
    let makers: [Place; 3] = [place("one"), place("two"), place("three")];
    for turn in 1..=300_usize {
        stack.persistent_handle_made(turn, || makers[turn % 3]);
        turn_at(&mut stack, Duration::ZERO, turn as u64);
    }
    let finding = stack.judge_persistent_handles(false, || Some(300));
    let Some(Finding::GlobalGrowth(growth)) = finding else {
        panic!("{finding:?}");
    };
    assert_eq!((growth.counted, growth.maker), (220, None));
}

/// A host that marks no turn: in each step, one scope with a call in it, if it `calls`.
fn unmarked(steps: u64, calls: bool) -> Option<Finding> {
    let mut stack = ScopeStack::new();
    for step in 1..=steps {
        let scope = stack.open_scope(SCOPE, place("on_event"), at_level(1)).0;
        if calls {
            let (id, _) = stack.begin_callback(place("on_event"), at_level(1));
            stack.end_callback(id, at_level(1));
        }
        stack.close_scope(scope);
        if stack.persistent_handles_are_due() {
            collect(&mut stack);
            let none = stack.look_at_persistent_handles(Duration::ZERO, TICK, false, || Some(step));
            assert_eq!(none, None);
        }
    }
    stack.judge_persistent_handles(false, || Some(steps))
}

#[test]
fn a_host_that_marks_no_turn_is_judged_by_its_scopes_and_calls() {
    let Some(Finding::GlobalGrowth(found)) = unmarked(300, true) else {
        panic!("silent");
    };
    assert_eq!(found.counted_in, Steps::ScopesAndCalls);
    assert_eq!((found.grown, found.steps), (292, 584));
}

#[test]
fn a_start_up_that_registers_functions_each_in_a_scope_is_silent() {
    assert_eq!(unmarked(1000, false), None);
    assert_eq!(unmarked(99, true), None, "too few calls");
}

/// 300 turns that each leave a handle, with a full collection after each hundredth; with hooks, the host makes and leaves `left`
/// of them, and the engine the others.
fn with_evidence(full: bool, hooked: bool, left: usize) -> Option<Finding> {
    let mut stack = ScopeStack::new();
    for turn in 1..=300_usize {
        stack.persistent_handle_made(turn, || place("on_event"));
        if turn <= 300 - left {
            stack.persistent_handle_reset(turn);
        }
        let id = stack.begin_turn(place("loop"), EngineCounts::default());
        stack.end_turn(id, EngineCounts::default());
        if turn % 100 == 0 {
            stack.collection_begins();
            stack.collection_ends(full);
        }
        if stack.persistent_handles_are_due() {
            let count = || Some(turn as u64);
            stack.look_at_persistent_handles(Duration::ZERO, TICK, hooked, count);
        }
    }
    stack.judge_persistent_handles(hooked, || Some(300))
}

#[test]
fn without_hooks_the_growth_must_outlive_two_full_collections() {
    assert!(with_evidence(true, false, 0).is_some());
    assert_eq!(with_evidence(false, false, 0), None);
}

#[test]
fn with_hooks_the_host_must_have_left_handles() {
    assert!(with_evidence(false, true, 100).is_some());
    assert_eq!(with_evidence(true, true, 0), None, "a debugger's");
    assert_eq!(
        with_evidence(true, true, 20),
        None,
        "weak ones, and a cache"
    );
}

/// Turns that make many handles each: whoever makes them is counted within a few turns, and the growth of those turns is what
/// the count is compared with.
#[test]
fn a_host_that_leaves_many_handles_in_each_turn_is_found_with_hooks() {
    let mut stack = ScopeStack::new();
    for turn in 1..=300_usize {
        for number in 0..1000 {
            stack.persistent_handle_made(1000 * turn + number, || place("on_event"));
            if stack.persistent_handles_are_due() {
                let count = || Some((1000 * turn + number) as u64);
                stack.look_at_persistent_handles(Duration::ZERO, TICK, true, count);
            }
        }
        let id = stack.begin_turn(place("loop"), EngineCounts::default());
        stack.end_turn(id, EngineCounts::default());
    }
    let finding = stack.judge_persistent_handles(true, || Some(300_000));
    assert!(finding.is_some());
}
