//! What the scopes of each place hold: the most handles at once, and whether any of them was of use.
//!
//! Written where a scope holds more than any of its place before; and at each close, if advice on redundant scopes is on.

use crate::describe::scope::ScopeKind;
use crate::detect::stack::holdings::ScopeStats;
use crate::place::{CodeAddress, Location, Place};
use crate::record::slot_table::{self, Claim, SlotTable};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many openers are kept: a limit for the memory. Scopes of further places are not measured.
// In a model, each slot is six atomics to explore.
const MAX_OPENERS: usize = if cfg!(all(test, loom)) { 1 } else { 1024 };

/// How many scopes of a place must have been empty, and none of use, before the place is called redundant.
pub(crate) const ENOUGH: u64 = 100;

/// The table of openers. See the [module](self).
pub(crate) struct HighWater {
    openers: SlotTable<Opener, Marks>,
    known: Box<[AtomicU64]>,
}

/// How many scopes that a hook recorded are remembered by their address.
const KNOWN: usize = if cfg!(all(test, loom)) { 1 } else { 256 };

/// The kind of a scope, and who opened it.
type Opener = (ScopeKind, Place);

struct Marks {
    /// The most handles that one of its scopes held.
    most: AtomicU64,
    uses: AtomicU64,
    /// One of its scopes held a handle, or a callback ran in it.
    mattered: AtomicBool,
    /// [`newly_redundant`](HighWater::newly_redundant) has returned it.
    returned: AtomicBool,
}

/// The scopes that one place opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenerStats {
    /// The kind of the scopes.
    pub kind: ScopeKind,
    /// Who opened them.
    pub place: Place,
    /// The high-water mark: the most handles that one of them held. 0 if none held 64 or more, or if the number is unknown: a
    /// scope that spans several of the engine's blocks of handles is measured only if it began in the block in which its turn
    /// began.
    pub most: u64,
    /// How many of them were examined: all, if `redundant-scope` is on.
    pub uses: u64,
    /// Whether at least a hundred were examined, and none ever held a handle or ran a callback.
    pub redundant: bool,
}

impl HighWater {
    pub(crate) fn new() -> Self {
        let marks = || Marks {
            most: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            mattered: AtomicBool::new(false),
            returned: AtomicBool::new(false),
        };
        Self {
            openers: SlotTable::with_capacity(MAX_OPENERS, marks),
            known: (0..KNOWN).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether a scope that a hook recorded at the same address in memory and in the code has held as much before, so that
    /// nobody need walk the stack for its opener again. Remembers the scope.
    ///
    /// Such a scope is mostly the same one again, in a loop. If another function has it there, its mark may be missed.
    pub(crate) fn is_known(&self, scope: &ScopeStats) -> bool {
        let Location::Code(CodeAddress { ip, stack }) = scope.place.location else {
            return false;
        };
        let mut hasher = DefaultHasher::new();
        (scope.kind, ip, stack).hash(&mut hasher);
        let hash = hasher.finish();
        // The upper half identifies the scope, the lower half is the most that it held.
        let tag = hash & !u64::from(u32::MAX);
        let held = scope.held.unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        let known = &self.known[hash as usize % KNOWN];
        let before = known.load(Ordering::Relaxed);
        if before & !u64::from(u32::MAX) == tag && before >= tag | held {
            return true;
        }
        known.store(tag | held, Ordering::Relaxed);
        false
    }

    /// Raises the mark of a place to what one of its scopes holds, at its close or before.
    pub(crate) fn raise(&self, scope: &ScopeStats) {
        if let Some(held) = scope.held
            && let Some(marks) = self.marks(scope)
            // Mostly only read: few scopes hold more than all before them.
            && held > marks.most.load(Ordering::Relaxed)
        {
            marks.most.fetch_max(held, Ordering::Relaxed);
        }
    }

    /// Counts a scope that closes as one use of its place.
    pub(crate) fn count_use(&self, scope: &ScopeStats) {
        let Some(marks) = self.marks(scope) else {
            return;
        };
        // First, and released by the count: whoever sees the use counted sees that it mattered.
        if scope.served || scope.held != Some(0) {
            marks.mattered.store(true, Ordering::Relaxed);
        }
        marks.uses.fetch_add(1, Ordering::Release);
    }

    /// The marks of the place that opened `scope`, or `None` if the table is full.
    fn marks(&self, scope: &ScopeStats) -> Option<&Marks> {
        let opener: Opener = (scope.kind, scope.place);
        let mut hasher = DefaultHasher::new();
        opener.hash(&mut hasher);
        let Claim { slot, is_new } = self.openers.claim(slot_table::key(&hasher))?;
        if is_new {
            self.openers.publish(slot, opener);
        }
        Some(self.openers.counters(slot))
    }

    /// Returns all places, the one whose scope held most first.
    pub(crate) fn openers(&self) -> Vec<OpenerStats> {
        let mut openers: Vec<OpenerStats> = self.stats().map(|(stats, _)| stats).collect();
        openers.sort_by_key(|opener| Reverse((opener.most, opener.uses)));
        openers
    }

    /// Returns the redundant places that it has not returned before.
    pub(crate) fn newly_redundant(&self) -> Vec<OpenerStats> {
        self.stats()
            .filter(|(stats, marks)| {
                stats.redundant && !marks.returned.swap(true, Ordering::Relaxed)
            })
            .map(|(stats, _)| stats)
            .collect()
    }

    fn stats(&self) -> impl Iterator<Item = (OpenerStats, &Marks)> {
        self.openers.published().map(|(_, &(kind, place), marks)| {
            let uses = marks.uses.load(Ordering::Acquire);
            let stats = OpenerStats {
                kind,
                place,
                most: marks.most.load(Ordering::Relaxed),
                uses,
                redundant: uses >= ENOUGH && !marks.mattered.load(Ordering::Relaxed),
            };
            (stats, marks)
        })
    }
}

/// Makes one row of the rows of one place: a hook may have recorded the place by several stacks. The highest comes first.
pub(crate) fn merge(rows: Vec<OpenerStats>) -> Vec<OpenerStats> {
    let mut merged: HashMap<Opener, OpenerStats> = HashMap::with_capacity(rows.len());
    for row in rows {
        let place = merged.entry((row.kind, row.place)).or_insert(OpenerStats {
            most: 0,
            uses: 0,
            redundant: row.redundant,
            ..row
        });
        place.most = place.most.max(row.most);
        place.uses += row.uses;
        place.redundant &= row.redundant;
    }
    let mut rows: Vec<OpenerStats> = merged.into_values().collect();
    rows.sort_by_key(|row| (Reverse((row.most, row.uses)), row.place.identity()));
    rows
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn stats(place: Place, held: u64, served: bool) -> ScopeStats {
        ScopeStats {
            kind: ScopeKind::HandleScope,
            place,
            held: Some(held),
            served,
        }
    }

    #[test]
    fn the_most_that_a_scope_of_a_place_held_is_kept() {
        let high_water = HighWater::new();
        let (one, other) = (Place::here("one"), Place::here("other"));
        for held in [70, 900, 80] {
            high_water.raise(&stats(one, held, false));
        }
        high_water.raise(&stats(other, 5000, false));
        let most: Vec<_> = high_water
            .openers()
            .iter()
            .map(|row| (row.place, row.most))
            .collect();
        assert_eq!(most, [(other, 5000), (one, 900)]);
    }

    #[test]
    fn a_scope_is_known_where_it_held_as_much_before() {
        let high_water = HighWater::new();
        let at = |ip, storage, held| stats(Place::code(ip, storage), held, false);
        assert!(!high_water.is_known(&at(0x10, 0x7000, 100)));
        assert!(high_water.is_known(&at(0x10, 0x7000, 100)));
        assert!(high_water.is_known(&at(0x10, 0x7000, 70)));
        assert!(!high_water.is_known(&at(0x10, 0x7000, 101)), "more");
        assert!(!high_water.is_known(&at(0x20, 0x7000, 70)), "other code");
        assert!(!high_water.is_known(&at(0x10, 0x8000, 70)), "another frame");
        let named = stats(Place::here("named"), 70, false);
        assert!(!high_water.is_known(&named) && !high_water.is_known(&named));
    }

    #[test]
    fn a_place_whose_scopes_never_held_a_handle_is_redundant_and_returned_once() {
        let high_water = HighWater::new();
        let place = Place::here("empty");
        for _ in 1..ENOUGH {
            high_water.count_use(&stats(place, 0, false));
        }
        assert_eq!(high_water.newly_redundant(), [], "not often enough");
        high_water.count_use(&stats(place, 0, false));
        assert_eq!(high_water.newly_redundant().len(), 1);
        assert_eq!(high_water.newly_redundant(), []);
    }

    #[test]
    fn a_place_whose_scope_once_mattered_is_not_redundant() {
        let once = [(1, false), (0, true)];
        for (held, served) in once {
            let high_water = HighWater::new();
            let place = Place::here("once");
            for _ in 0..ENOUGH {
                high_water.count_use(&stats(place, 0, false));
            }
            high_water.count_use(&stats(place, held, served));
            assert_eq!(high_water.newly_redundant(), []);
        }
    }

    #[test]
    fn places_that_have_no_room_in_the_table_are_left_out() {
        let high_water = HighWater::new();
        for ip in 1..=2 * MAX_OPENERS {
            high_water.raise(&stats(Place::code(ip, 0), 100, false));
        }
        assert!(high_water.openers().len() <= MAX_OPENERS);
    }
}
