//! The site table: one line with a count for each distinct cause.
//!
//! The counts lie apart from the slots, in lanes: threads that meet at one site count in lanes of their own, and only read what
//! they share.

use crate::describe::violation::Violation;
use crate::record::slot_table::{Claim, SlotTable, Standing};
use crate::sync::{AtomicU64, Ordering};
use std::num::NonZeroU64;
use std::time::Duration;

/// How many lanes of counts there are. Each thread counts in one; a few threads have one each.
const LANES: usize = if cfg!(all(test, loom)) { 2 } else { 4 };

/// The site table. See the [module](self).
pub(crate) struct Sites {
    /// With the time of the last occurrence, in nanoseconds since the checker's start.
    slots: SlotTable<Detail, AtomicU64>,
    lanes: [Lane; LANES],
}

/// The counts of the threads of one lane, on cache lines of their own.
#[repr(align(128))]
struct Lane {
    counts: Box<[Count]>,
    dropped: AtomicU64,
}

struct Count {
    times: AtomicU64,
    handles: AtomicU64,
}

/// What does not change once a site is known.
pub(crate) struct Detail {
    pub(crate) first: Duration,
    pub(crate) violation: Violation,
}

/// Where an occurrence was counted.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) slot: usize,
    /// The site's detail, for the one caller that made the site.
    pub(crate) new: Option<&'a Detail>,
}

/// One site as it stands now.
pub(crate) struct Row<'a> {
    pub(crate) slot: usize,
    pub(crate) count: u64,
    pub(crate) handles: u64,
    pub(crate) last: Duration,
    pub(crate) detail: &'a Detail,
}

impl Sites {
    /// Creates an empty table for that many sites.
    pub(crate) fn with_capacity(sites: usize) -> Self {
        Self {
            slots: SlotTable::with_capacity(sites, || AtomicU64::new(0)),
            lanes: std::array::from_fn(|_| Lane {
                counts: (0..sites)
                    .map(|_| Count {
                        times: AtomicU64::new(0),
                        handles: AtomicU64::new(0),
                    })
                    .collect(),
                dropped: AtomicU64::new(0),
            }),
        }
    }

    /// Returns how many causes the table can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Looks up the cause `key`, and changes nothing.
    #[inline]
    pub(crate) fn standing(&self, key: NonZeroU64) -> Standing {
        self.slots.standing(key)
    }

    /// Counts one more occurrence, at `now`, of the cause in `slot`.
    #[inline]
    pub(crate) fn count(&self, slot: usize, lane: usize, now: Duration) {
        let last = self.slots.counters(slot);
        let now = nanos(now);
        // Mostly only read: the clock is a coarse one.
        if last.load(Ordering::Relaxed) < now {
            last.fetch_max(now, Ordering::Relaxed);
        }
        self.lanes[lane % LANES].counts[slot]
            .times
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one occurrence, at `now`, of the cause `key`. Calls `violation` if it is the first one. Returns `None` if the
    /// table is full.
    pub(crate) fn record(
        &self,
        key: NonZeroU64,
        lane: usize,
        now: Duration,
        violation: impl FnOnce() -> Violation,
    ) -> Option<Recorded<'_>> {
        let Some(Claim { slot, is_new }) = self.slots.claim(key) else {
            self.drop_one(lane);
            return None;
        };
        // Before the detail is published: a reader never sees a site that has not occurred.
        self.count(slot, lane, now);
        let new = if is_new {
            let violation = violation();
            self.slots.publish(
                slot,
                Detail {
                    first: now,
                    violation,
                },
            )
        } else {
            None
        };
        Some(Recorded { slot, new })
    }

    /// Counts one occurrence whose cause has no room in the table.
    #[inline]
    pub(crate) fn drop_one(&self, lane: usize) {
        self.lanes[lane % LANES]
            .dropped
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Adds handles that an earlier occurrence at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        self.lanes[lane % LANES].counts[slot]
            .handles
            .fetch_add(handles, Ordering::Relaxed);
    }

    /// Returns how many occurrences had no room in the table.
    pub(crate) fn dropped(&self) -> u64 {
        let of = |lane: &Lane| lane.dropped.load(Ordering::Relaxed);
        self.lanes.iter().map(of).sum()
    }

    /// Iterates over all sites as they stand now.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.slots.published().map(|(slot, detail, last)| {
            let sum = |of: fn(&Count) -> &AtomicU64| {
                let each = self.lanes.iter().map(|lane| &lane.counts[slot]);
                each.map(|count| of(count).load(Ordering::Relaxed)).sum()
            };
            Row {
                slot,
                count: sum(|count| &count.times),
                handles: sum(|count| &count.handles),
                last: Duration::from_nanos(last.load(Ordering::Relaxed)),
                detail,
            }
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
