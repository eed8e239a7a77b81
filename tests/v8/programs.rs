//! Random programs on real V8: after each step handleguard's record and V8's own state are as a naive model expects, and so are the
//! findings at the end.

mod machine;
mod model;
mod program;

use handleguard_tests::host;
use machine::{Machine, Planted, Tally};
use program::Step;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::RefCell;

/// How many programs are run, if not the default; for a longer run by hand.
const PROGRAMS: &str = "HANDLEGUARD_PROGRAMS";

fn programs() -> u32 {
    match std::env::var(PROGRAMS) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{PROGRAMS}: `{number}` is no number of programs")),
        Err(_) if cfg!(debug_assertions) => 2_000,
        Err(_) => 100_000,
    }
}

/// The same programs in each run.
fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn record_level_handles_and_findings_are_what_a_naive_model_expects() {
    host!(scope, context);
    let machine = Machine::new(scope, context);
    let scope = RefCell::new(scope);
    let all = RefCell::new((0, Tally::default()));
    runner(programs())
        .run(&program::program(), |program| {
            let tally = machine
                .run(&mut scope.borrow_mut(), &program, None)
                .map_err(TestCaseError::fail)?;
            let (ran, all) = &mut *all.borrow_mut();
            *ran += 1;
            all.steps += tally.steps;
            all.missing += tally.missing;
            all.left += tally.left;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (ran, all) = all.into_inner();
    println!("{ran} programs, 0 disagreements: {all:?}");
    assert_eq!(ran, programs());
    // No run of empty programs.
    assert!(all.steps > u64::from(ran) && all.missing > 0 && all.left > all.missing);
}

#[test]
fn an_off_by_one_in_anything_that_is_compared_is_found() {
    host!(scope, context);
    let machine = Machine::new(scope, context);
    let program = [Step::Turn(vec![Step::Make(1), Step::Call(vec![])])];
    let tally = machine.run(scope, &program, None).unwrap();
    assert_eq!((tally.steps, tally.missing, tally.left), (3, 1, 4));
    for (planted, expected) in [
        (Planted::Depth, "after step 1: depth: 1, expected 0"),
        (Planted::Level, "after step 1: level: 3, expected 2"),
        (
            Planted::Missing,
            "after step 3: calls without a scope: 2, expected 1",
        ),
        (Planted::Left, "after step 3: handles left: 5, expected 4"),
        (
            Planted::Others,
            "after step 3: violations of other rules: 1, expected 0",
        ),
    ] {
        assert_eq!(
            machine.run(scope, &program, Some(planted)),
            Err(expected.to_owned())
        );
    }
    let handles = machine
        .run(scope, &program, Some(Planted::Handles))
        .unwrap_err();
    assert!(handles.starts_with("after step 1: handles: "), "{handles}");
}
