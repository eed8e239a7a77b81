//! Models of the site table: every interleaving of two threads, up to the bound on preemptions that `.ci/loom` sets.

use crate::describe::finding::Finding;
use crate::describe::rules::out_of_order::ClosedTwice;
use crate::describe::violation::Violation;
use crate::record::sites::Sites;
use loom::sync::Arc;
use loom::thread;
use std::num::NonZeroU64;
use std::time::Duration;

/// The lanes of the two threads.
const OWN: usize = 0;
const OTHER: usize = 1;

fn key(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).unwrap()
}

fn violation() -> Violation {
    super::violation(Finding::ClosedTwice(ClosedTwice { number: Some(7) }), None)
}

/// Records `value` once, in a lane; its slot, and whether it is the one that tells of the site.
fn record(sites: &Sites, value: u64, lane: usize, violation: &Violation) -> Option<(usize, bool)> {
    let time = Duration::from_secs(value);
    let recorded = sites.record(key(value), lane, time, || violation.clone())?;
    Some((recorded.slot, recorded.new.is_some()))
}

/// The race: both exchange the key of the same free slot.
#[test]
fn loom_two_threads_at_one_new_cause_count_two_and_one_of_them_tells() {
    let violation = violation();
    loom::model(move || {
        let sites = Arc::new(Sites::with_capacity(2));
        let other = thread::spawn({
            let (sites, violation) = (Arc::clone(&sites), violation.clone());
            move || record(&sites, 1, OTHER, &violation).unwrap()
        });
        let (slot, new) = record(&sites, 1, OWN, &violation).unwrap();
        let (other_slot, other_new) = other.join().unwrap();
        assert_eq!(slot, other_slot, "one cause has one slot");
        assert!(new != other_new, "exactly one tells of it");
        let rows: Vec<_> = sites.rows().map(|row| (row.slot, row.count)).collect();
        assert_eq!(rows, [(slot, 2)]);
        assert_eq!(sites.dropped(), 0);
    });
}

/// The race: both exchange the key of the same free slot, with keys that differ; the loser goes on to the next.
#[test]
fn loom_two_causes_that_start_at_one_slot_get_two() {
    let violation = violation();
    loom::model(move || {
        let sites = Arc::new(Sites::with_capacity(2));
        let other = thread::spawn({
            let (sites, violation) = (Arc::clone(&sites), violation.clone());
            move || record(&sites, 1, OTHER, &violation).unwrap()
        });
        let (slot, new) = record(&sites, 3, OWN, &violation).unwrap();
        let (other_slot, other_new) = other.join().unwrap();
        assert_ne!(slot, other_slot);
        assert!(new && other_new, "each is told of");
        assert_eq!(sites.rows().count(), 2);
    });
}

/// The race: a report is made between the claim of a slot and the publication of its detail.
#[test]
fn loom_reader_during_an_insert_sees_nothing_or_the_whole() {
    let violation = violation();
    loom::model(move || {
        let sites = Arc::new(Sites::with_capacity(1));
        let writer = thread::spawn({
            let (sites, violation) = (Arc::clone(&sites), violation.clone());
            move || record(&sites, 1, OTHER, &violation).unwrap()
        });
        for row in sites.rows() {
            assert_eq!(row.detail.first, Duration::from_secs(1));
            assert_eq!(row.detail.violation.thread, "worker-3");
            assert_eq!(row.count, 1, "the count is there before the detail");
            assert_eq!(row.last, Duration::from_secs(1), "and so is the time");
        }
        writer.join().unwrap();
        assert_eq!(sites.rows().count(), 1);
    });
}

/// The race: a second occurrence comes between the claim of a slot and the publication of its detail.
#[test]
fn loom_occurrence_during_an_insert_is_counted() {
    let violation = violation();
    loom::model(move || {
        let sites = Arc::new(Sites::with_capacity(1));
        let first = thread::spawn({
            let (sites, violation) = (Arc::clone(&sites), violation.clone());
            move || record(&sites, 1, OTHER, &violation).unwrap()
        });
        let (slot, ..) = record(&sites, 1, OWN, &violation).unwrap();
        sites.add_handles(slot, OWN, 5);
        let (slot, ..) = first.join().unwrap();
        sites.add_handles(slot, OTHER, 7);
        let rows: Vec<_> = sites.rows().map(|row| (row.count, row.handles)).collect();
        assert_eq!(rows, [(2, 12)]);
    });
}

/// The race: two causes for the last free slot.
#[test]
fn loom_full_table_counts_what_it_drops() {
    let violation = violation();
    loom::model(move || {
        let sites = Arc::new(Sites::with_capacity(1));
        let other = thread::spawn({
            let (sites, violation) = (Arc::clone(&sites), violation.clone());
            move || record(&sites, 1, OTHER, &violation).is_some()
        });
        let kept = record(&sites, 2, OWN, &violation).is_some();
        let other_kept = other.join().unwrap();
        assert!(kept != other_kept, "one slot, one site");
        assert_eq!(sites.dropped(), 1);
        assert_eq!(sites.rows().map(|row| row.count).sum::<u64>(), 1);
    });
}
