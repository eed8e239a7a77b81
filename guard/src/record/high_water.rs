//! What the scopes of each place hold: the most at once, and whether any of them ever held a handle at all.
//!
//! A table of fixed size, shared by all threads, without a lock. Written where a scope held more than any of its place
//! before, and at each close only where advice on redundant scopes was asked for.

use crate::describe::scope::ScopeKind;
use crate::detect::stack::holdings::ScopeStats;
use crate::place::Place;
use once_cell::race::OnceBox;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Places kept. A program has so many lines that open a scope; what is beyond has no mark.
const MAX_PLACES: usize = 1024;

/// Slots tried for a place before it is passed over.
const PROBES: usize = 16;

/// Uses that must all have been empty before a scope is called redundant.
pub(crate) const ENOUGH: u64 = 100;

/// The table. See the [module](self).
pub(crate) struct HighWater(Box<[Slot]>);

#[derive(Default)]
struct Slot {
    /// 0 while free.
    key: AtomicU64,
    most: AtomicU64,
    uses: AtomicU64,
    /// One of them held a handle, or a callback ran in it.
    mattered: AtomicBool,
    flushed_up_to: AtomicBool,
    opener: OnceBox<(ScopeKind, Place)>,
}

/// The scopes that one place opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenerStats {
    /// Their kind.
    pub kind: ScopeKind,
    /// Who opened them.
    pub place: Place,
    /// The most handles that one of them held, its high-water mark. 0 stands for fewer than 64, and for what cannot
    /// be told: a scope that takes more of the engine's blocks of handles, and did not begin in the block in which its turn did.
    pub most: u64,
    /// How many of them were looked at: all, where `redundant-scope` is on.
    pub uses: u64,
    /// Whether none of them ever held a handle.
    pub redundant: bool,
}

impl HighWater {
    pub(crate) fn new() -> Self {
        Self((0..MAX_PLACES).map(|_| Slot::default()).collect())
    }

    /// One scope, that closes or is looked at while open.
    pub(crate) fn note(&self, used: &ScopeStats) {
        let Some(slot) = self.slot(used.kind, used.place) else {
            return;
        };
        if let Some(held) = used.held
            && held > slot.most.load(Ordering::Relaxed)
        {
            slot.most.fetch_max(held, Ordering::Relaxed);
        }
    }

    /// The same, counted as one use of its place.
    pub(crate) fn count(&self, used: &ScopeStats) {
        let Some(slot) = self.slot(used.kind, used.place) else {
            return;
        };
        slot.uses.fetch_add(1, Ordering::Relaxed);
        if used.served || used.held != Some(0) {
            slot.mattered.store(true, Ordering::Relaxed);
        }
    }

    fn slot(&self, kind: ScopeKind, place: Place) -> Option<&Slot> {
        let mut hasher = DefaultHasher::new();
        (kind, place).hash(&mut hasher);
        let key = hasher.finish().max(1);
        let start = usize::try_from(key % MAX_PLACES as u64).ok()?;
        let (before, from) = self.0.split_at(start);
        for slot in from.iter().chain(before).take(PROBES) {
            // Relaxed: the key publishes nothing; `opener` has its own release.
            match slot
                .key
                .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => {
                    let _ = slot.opener.set(Box::new((kind, place)));
                    return Some(slot);
                }
                Err(held) if held == key => return Some(slot),
                Err(_) => {}
            }
        }
        None
    }

    /// All places, the one whose scope held most first.
    pub(crate) fn rows(&self) -> Vec<OpenerStats> {
        let mut rows: Vec<OpenerStats> = self.0.iter().filter_map(Slot::row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.most, row.uses)));
        rows
    }

    /// The redundant ones that were not told of yet.
    pub(crate) fn redundant(&self) -> Vec<OpenerStats> {
        self.0
            .iter()
            .filter_map(|slot| {
                let row = slot.row()?;
                (row.redundant && !slot.flushed_up_to.swap(true, Ordering::Relaxed)).then_some(row)
            })
            .collect()
    }
}

impl Slot {
    fn row(&self) -> Option<OpenerStats> {
        let &(kind, place) = self.opener.get()?;
        let uses = self.uses.load(Ordering::Relaxed);
        Some(OpenerStats {
            kind,
            place,
            most: self.most.load(Ordering::Relaxed),
            uses,
            redundant: uses >= ENOUGH && !self.mattered.load(Ordering::Relaxed),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn used(place: Place, held: u64, served: bool) -> ScopeStats {
        ScopeStats {
            kind: ScopeKind::HandleScope,
            place,
            held: Some(held),
            served,
        }
    }

    #[test]
    fn the_most_that_a_place_held_is_kept() {
        let usage = HighWater::new();
        let (one, other) = (Place::here("one"), Place::here("other"));
        for held in [70, 900, 80] {
            usage.note(&used(one, held, false));
        }
        usage.note(&used(other, 5000, false));
        let most: Vec<_> = usage
            .rows()
            .iter()
            .map(|row| (row.place, row.most))
            .collect();
        assert_eq!(most, [(other, 5000), (one, 900)]);
    }

    #[test]
    fn a_place_whose_scopes_never_held_a_handle_is_redundant_and_told_of_once() {
        let usage = HighWater::new();
        let place = Place::here("empty");
        for _ in 1..ENOUGH {
            usage.count(&used(place, 0, false));
        }
        assert_eq!(usage.redundant(), [], "not often enough");
        usage.count(&used(place, 0, false));
        assert_eq!(usage.redundant().len(), 1);
        assert_eq!(usage.redundant(), []);
    }

    #[test]
    fn a_place_whose_scope_once_mattered_is_not_redundant() {
        let once = [(1, false), (0, true)];
        for (held, served) in once {
            let usage = HighWater::new();
            let place = Place::here("once");
            for _ in 0..ENOUGH {
                usage.count(&used(place, 0, false));
            }
            usage.count(&used(place, held, served));
            assert_eq!(usage.redundant(), []);
        }
    }

    #[test]
    fn places_beyond_the_table_are_passed_over() {
        let usage = HighWater::new();
        for ip in 1..=2 * MAX_PLACES {
            usage.note(&used(Place::code(ip, 0), 100, false));
        }
        assert!(usage.rows().len() <= MAX_PLACES);
    }
}
