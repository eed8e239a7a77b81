//! Models of the slot table: every interleaving of two threads, up to the bound on preemptions that `.ci/loom` sets.

use crate::record::slot_table::{Claim, SlotTable, Standing};
use crate::sync::{AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;
use std::num::NonZeroU64;

/// The detail of a key is its own number; the counter counts its records.
type Table = SlotTable<u64, AtomicU64>;

fn table(slots: usize) -> Arc<Table> {
    Arc::new(Table::with_capacity(slots, || AtomicU64::new(0)))
}

/// These keys are small, so all of them are looked for from slot 0 on.
fn key(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).unwrap()
}

/// Claims a slot for `value`, counts once, and publishes.
fn record(table: &Table, value: u64) -> Option<Claim> {
    let claim = table.claim(key(value))?;
    let count = table.counters(claim.slot);
    count.fetch_add(1, Ordering::Relaxed);
    if claim.is_new {
        assert_eq!(table.publish(claim.slot, value), Some(&value));
    }
    Some(claim)
}

/// The published slots: slot, detail and count.
fn published(table: &Table) -> Vec<(usize, u64, u64)> {
    let slots = table.published();
    slots
        .map(|(slot, &detail, count)| (slot, detail, count.load(Ordering::Relaxed)))
        .collect()
}

/// The race: both exchange the key of the same free slot, with one key.
#[test]
fn loom_one_key_of_two_threads_has_one_slot_that_one_of_them_claims() {
    loom::model(|| {
        let table = table(2);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || record(&table, 1).unwrap()
        });
        let claim = record(&table, 1).unwrap();
        let other_claim = other.join().unwrap();
        assert_eq!(claim.slot, other_claim.slot);
        assert!(claim.is_new != other_claim.is_new);
        assert_eq!(published(&table), [(claim.slot, 1, 2)]);
        assert_eq!(table.standing(key(1)), Standing::Known(claim.slot));
    });
}

/// The race: both exchange the key of the same free slot, with two keys; the loser goes on to the next slot.
#[test]
fn loom_two_keys_that_start_at_one_slot_have_two() {
    loom::model(|| {
        let table = table(2);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || record(&table, 1).unwrap()
        });
        let claim = record(&table, 3).unwrap();
        let other_claim = other.join().unwrap();
        assert_ne!(claim.slot, other_claim.slot);
        assert!(claim.is_new && other_claim.is_new);
        let mut expected = [(claim.slot, 3, 1), (other_claim.slot, 1, 1)];
        expected.sort_unstable();
        assert_eq!(published(&table), expected);
    });
}

/// The race: two keys for the last free slot.
#[test]
fn loom_of_two_keys_for_the_last_slot_one_has_no_room() {
    loom::model(|| {
        let table = table(1);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || record(&table, 1)
        });
        let claim = record(&table, 3);
        let other_claim = other.join().unwrap();
        assert!(claim.is_some() != other_claim.is_some());
        let (kept, lost) = if claim.is_some() { (3, 1) } else { (1, 3) };
        assert_eq!(published(&table), [(0, kept, 1)]);
        assert_eq!(table.standing(key(lost)), Standing::NoRoom);
    });
}

/// The race: a reader comes between the claim of a slot and the publication of its detail.
#[test]
fn loom_reader_during_a_record_sees_nothing_or_the_whole() {
    loom::model(|| {
        let table = table(1);
        let writer = thread::spawn({
            let table = Arc::clone(&table);
            move || record(&table, 1).unwrap()
        });
        let seen = published(&table);
        assert!(
            seen.is_empty() || seen == [(0, 1, 1)],
            "the count is there before the detail: {seen:?}"
        );
        writer.join().unwrap();
        assert_eq!(published(&table), [(0, 1, 1)]);
    });
}

/// The race: a second record of a key comes between the claim of its slot and the publication of its detail.
#[test]
fn loom_record_during_a_record_is_counted() {
    loom::model(|| {
        let table = table(1);
        let first = thread::spawn({
            let table = Arc::clone(&table);
            move || record(&table, 1).unwrap()
        });
        if let Standing::Known(slot) = table.standing(key(1)) {
            table.counters(slot).fetch_add(1, Ordering::Relaxed);
        } else {
            record(&table, 1).unwrap();
        }
        first.join().unwrap();
        assert_eq!(published(&table), [(0, 1, 2)]);
    });
}
