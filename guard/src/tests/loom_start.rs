//! Models of the start: every interleaving of two or three threads, up to the bound on preemptions that `.ci/loom` sets.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::process::start::Start;
use crate::record::checker::Checker;
use loom::sync::Arc;
use loom::thread;

fn checker(action: Action) -> Box<Checker> {
    Box::new(Checker::new(Config::new().action(action), |_| ()))
}

fn action(checker: &Checker) -> Action {
    checker.config.action_of(Rule::MissingScope)
}

/// The race: two threads set the checker.
#[test]
fn loom_of_two_starts_one_wins_and_both_see_its_configuration() {
    loom::model(|| {
        let start = Arc::new(Start::new());
        let other = thread::spawn({
            let start = Arc::clone(&start);
            move || {
                let won = start.try_start(checker(Action::Log)).is_ok();
                (won, start.get().map(action))
            }
        });
        let won = start.try_start(checker(Action::Count)).is_ok();
        let seen = start.get().map(action);
        let (other_won, other_seen) = other.join().unwrap();
        assert!(won != other_won, "exactly one wins");
        let winners = if won { Action::Count } else { Action::Log };
        assert_eq!(seen, Some(winners));
        assert_eq!(other_seen, Some(winners));
        assert!(!start.is_off());
    });
}

/// The race: the loser of two starts could store its own state over the winner's.
#[test]
fn loom_whoever_sees_off_never_finds_a_checker_that_is_on() {
    loom::model(|| {
        let start = Arc::new(Start::new());
        let on = thread::spawn({
            let start = Arc::clone(&start);
            move || start.try_start(checker(Action::Log)).is_ok()
        });
        let off = thread::spawn({
            let start = Arc::clone(&start);
            move || start.try_start(checker(Action::Off)).is_ok()
        });
        if start.is_off() {
            assert_eq!(start.get().map_or(Action::Off, action), Action::Off);
        }
        let (on, off) = (on.join().unwrap(), off.join().unwrap());
        assert!(on != off, "exactly one wins");
        assert_eq!(start.is_off(), off);
        assert_eq!(start.get().map(|checker| checker.config.is_on()), Some(on));
    });
}

/// The race: a guard looks for the checker while it is being set.
#[test]
fn loom_guard_during_a_start_sees_no_checker_or_a_whole_one() {
    loom::model(|| {
        let start = Arc::new(Start::new());
        let starting = thread::spawn({
            let start = Arc::clone(&start);
            move || start.try_start(checker(Action::Count)).is_ok()
        });
        assert!(!start.is_off(), "on its way to being on");
        if let Some(checker) = start.get() {
            assert_eq!(action(checker), Action::Count);
            assert!(checker.report().is_clean());
        }
        assert!(starting.join().unwrap());
        assert!(start.get().is_some());
    });
}

/// The race: the first guards of two threads.
#[test]
fn loom_start_up_line_and_hint_are_said_by_one() {
    loom::model(|| {
        let start = Arc::new(Start::new());
        let other = thread::spawn({
            let start = Arc::clone(&start);
            move || (start.announce(), start.hint())
        });
        let (announced, hinted) = (start.announce(), start.hint());
        let (other_announced, other_hinted) = other.join().unwrap();
        assert!(announced != other_announced);
        assert!(hinted != other_hinted);
        assert!(!start.is_unannounced());
    });
}
