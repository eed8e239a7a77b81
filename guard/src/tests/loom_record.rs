//! Models of what is kept in the slot tables: every interleaving of two threads, up to the bound on preemptions that
//! `.ci/loom` sets.

use crate::describe::finding::Finding;
use crate::describe::rules::out_of_order::ClosedTwice;
use crate::describe::scope::ScopeKind;
use crate::detect::stack::holdings::ScopeStats;
use crate::place::Place;
use crate::react::subscriber::Subscriber;
use crate::record::high_water::{ENOUGH, HighWater};
use crate::record::sites::{First, Granularity, Sites};
use loom::sync::Arc;
use loom::thread;
use std::num::NonZeroU64;
use std::time::Duration;

/// The lanes of the two threads.
const OWN: usize = 0;
const OTHER: usize = 1;

/// Records the cause `value` once, at as many seconds. Returns whether the site is new.
fn record(sites: &Sites, value: u64, lane: usize) -> Option<bool> {
    let key = NonZeroU64::new(value).unwrap();
    let finding = Finding::ClosedTwice(ClosedTwice { number: 7 });
    let now = Duration::from_secs(value);
    let recorded = sites.record(Granularity::Stack, key, lane, now, || first(finding, false))?;
    Some(recorded.is_new)
}

fn first(finding: Finding, is_to_log: bool) -> First {
    First {
        violation: super::violation(finding, None),
        to_log: is_to_log.then(Subscriber::current),
        generation: 0,
    }
}

/// The race: a report is made while a site is.
#[test]
fn loom_report_during_a_first_occurrence_has_no_site_or_the_whole() {
    loom::model(|| {
        let sites = Arc::new(Sites::with_capacity(1));
        let writer = thread::spawn({
            let sites = Arc::clone(&sites);
            move || record(&sites, 1, OTHER)
        });
        for row in sites.rows() {
            assert_eq!(row.detail.at, Duration::from_secs(1));
            assert_eq!(row.detail.named().thread, "worker-3");
            assert_eq!(row.count, 1);
            assert_eq!(row.last, Duration::from_secs(1));
        }
        assert_eq!(writer.join().unwrap(), Some(true));
        assert_eq!(sites.rows().count(), 1);
    });
}

/// The race: two threads in two lanes add to one site.
#[test]
fn loom_occurrences_and_handles_of_two_lanes_are_summed() {
    loom::model(|| {
        let sites = Arc::new(Sites::with_capacity(1));
        let other = thread::spawn({
            let sites = Arc::clone(&sites);
            move || {
                let is_new = record(&sites, 1, OTHER).unwrap();
                sites.add_handles(0, OTHER, 7);
                is_new
            }
        });
        let is_new = record(&sites, 1, OWN).unwrap();
        sites.add_handles(0, OWN, 5);
        assert!(is_new != other.join().unwrap(), "one of them logs it");
        let rows: Vec<_> = sites.rows().map(|row| (row.count, row.handles)).collect();
        assert_eq!(rows, [(2, 12)]);
    });
}

/// The race: two causes for the last free slot.
#[test]
fn loom_full_table_has_room_for_one() {
    loom::model(|| {
        let sites = Arc::new(Sites::with_capacity(1));
        let other = thread::spawn({
            let sites = Arc::clone(&sites);
            move || record(&sites, 1, OTHER).is_some()
        });
        let kept = record(&sites, 2, OWN).is_some();
        assert!(kept != other.join().unwrap());
        assert_eq!(sites.rows().map(|row| row.count).sum::<u64>(), 1);
    });
}

/// The race: two threads log what waits to be logged, while it is recorded.
#[test]
fn loom_site_is_logged_once() {
    loom::model(|| {
        let sites = Arc::new(Sites::with_capacity(1));
        let finding = Finding::ClosedTwice(ClosedTwice { number: 7 });
        let other = thread::spawn({
            let sites = Arc::clone(&sites);
            move || sites.take_unlogged(0).len()
        });
        let to_log = || first(finding, true);
        sites.record(
            Granularity::Stack,
            NonZeroU64::MIN,
            OWN,
            Duration::ZERO,
            to_log,
        );
        let own = sites.take_unlogged(0).len();
        assert_eq!(own + other.join().unwrap(), 1);
        assert!(!sites.has_unlogged());
    });
}

fn scope(held: u64) -> ScopeStats {
    ScopeStats {
        kind: ScopeKind::HandleScope,
        place: Place::code(0x1000, 0),
        held: Some(held),
        served: false,
    }
}

/// The race: two scopes of one place raise its mark.
#[test]
fn loom_of_two_marks_of_one_place_the_higher_stays() {
    loom::model(|| {
        let high_water = Arc::new(HighWater::new());
        let other = thread::spawn({
            let high_water = Arc::clone(&high_water);
            move || high_water.raise(&scope(900))
        });
        high_water.raise(&scope(70));
        other.join().unwrap();
        let most: Vec<_> = high_water.openers().iter().map(|row| row.most).collect();
        assert_eq!(most, [900]);
    });
}

/// The race: advice is asked for while the use is counted that completes the hundred, and that held a handle.
#[test]
fn loom_use_that_mattered_is_seen_with_its_count() {
    loom::model(|| {
        let high_water = Arc::new(HighWater::new());
        for _ in 1..ENOUGH {
            high_water.count_use(&scope(0));
        }
        let other = thread::spawn({
            let high_water = Arc::clone(&high_water);
            move || high_water.count_use(&scope(1))
        });
        assert_eq!(high_water.newly_redundant(), []);
        other.join().unwrap();
        assert_eq!(high_water.newly_redundant(), []);
    });
}
