//! What the scopes of each place hold: the most handles at once, and whether any of them was of use.
//!
//! Written where a scope holds more than any of its place before; and at each close, if advice on redundant scopes is on.

use crate::describe::scope::ScopeKind;
use crate::detect::stack::holdings::ScopeStats;
use crate::place::Place;
use crate::record::slot_table::{Claim, SlotTable};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

/// How many openers are kept: a limit for the memory. Scopes of further places are not measured.
// In a model, each slot is six atomics to explore.
const MAX_OPENERS: usize = if cfg!(all(test, loom)) { 1 } else { 1024 };

/// How many scopes of a place must have been empty, and none of use, before the place is called redundant.
pub(crate) const ENOUGH: u64 = 100;

/// The table of openers. See the [module](self).
pub(crate) struct HighWater(SlotTable<Opener, Marks>);

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
        Self(SlotTable::with_capacity(MAX_OPENERS, || Marks {
            most: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            mattered: AtomicBool::new(false),
            returned: AtomicBool::new(false),
        }))
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
        let key = NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN);
        let Claim { slot, is_new } = self.0.claim(key)?;
        if is_new {
            self.0.publish(slot, opener);
        }
        Some(self.0.counters(slot))
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
        self.0.published().map(|(_, &(kind, place), marks)| {
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
