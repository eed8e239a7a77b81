//! The site table: one distinct cause is one line with a count.
//!
//! Of fixed size, shared by all threads, without a lock. A slot is claimed by exchanging its key from 0, and its detail
//! is published after that, once; a reader that comes in between passes the slot over. Slots are never freed.
//!
//! Counts lie apart from the slots, in lanes: threads that meet at one site count in lanes of their own, and what all of them
//! look at is only read.
//!
//! Two causes whose 64-bit keys are equal would be counted as one: with the table full, odds of one in 10^13.

use crate::describe::violation::Violation;
use crate::sync::{AtomicU64, OnceBox, Ordering};
use std::num::NonZeroU64;
use std::time::Duration;

/// Slots tried for a key before it is dropped.
const PROBES: usize = 32;

/// Lanes of counts. A thread has one of them; a few threads have one each.
const LANES: usize = if cfg!(all(test, loom)) { 2 } else { 4 };

/// The site table. See the [module](self).
pub(crate) struct Sites {
    slots: Box<[Slot]>,
    lanes: [Lane; LANES],
}

struct Slot {
    /// 0 while free.
    key: AtomicU64,
    /// Nanoseconds since the checker's start.
    last: AtomicU64,
    detail: OnceBox<Detail>,
}

/// What the threads of one lane count. On cache lines of its own.
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

/// Where a key stands in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// In this slot.
    Known(usize),
    /// Nowhere, and there is room.
    New,
    /// Nowhere, and there is none.
    NoRoom,
}

/// Where an occurrence was counted.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) slot: usize,
    /// What was kept of it, told to exactly one caller for each site.
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
    /// An empty table of that many slots.
    pub(crate) fn with_capacity(slots: usize) -> Self {
        Self {
            slots: (0..slots)
                .map(|_| Slot {
                    key: AtomicU64::new(0),
                    last: AtomicU64::new(0),
                    detail: OnceBox::new(),
                })
                .collect(),
            lanes: std::array::from_fn(|_| Lane {
                counts: (0..slots)
                    .map(|_| Count {
                        times: AtomicU64::new(0),
                        handles: AtomicU64::new(0),
                    })
                    .collect(),
                dropped: AtomicU64::new(0),
            }),
        }
    }

    /// How many causes it can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Looks for `key`, and changes nothing.
    #[inline]
    pub(crate) fn standing(&self, key: NonZeroU64) -> Standing {
        for slot in self.probes(key) {
            // Relaxed: the key publishes nothing; `detail` has its own release.
            match self.slots[slot].key.load(Ordering::Relaxed) {
                0 => return Standing::New,
                held if held == key.get() => return Standing::Known(slot),
                _ => {}
            }
        }
        Standing::NoRoom
    }

    /// Counts one more occurrence, at `now`, of the cause in `slot`.
    #[inline]
    pub(crate) fn count(&self, slot: usize, lane: usize, now: Duration) {
        let last = &self.slots[slot].last;
        let now = nanos(now);
        // Mostly only read: the clock is a coarse one.
        if last.load(Ordering::Relaxed) < now {
            last.fetch_max(now, Ordering::Relaxed);
        }
        self.lanes[lane % LANES].counts[slot]
            .times
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one occurrence of the cause `key` at `now`; `violation` is asked for if it is the first. `None` if the
    /// table has no place for it.
    pub(crate) fn record(
        &self,
        key: NonZeroU64,
        lane: usize,
        now: Duration,
        violation: impl FnOnce() -> Violation,
    ) -> Option<Recorded<'_>> {
        let Some((slot, claimed)) = self.claim(key) else {
            self.drop_one(lane);
            return None;
        };
        self.count(slot, lane, now);
        let detail = &self.slots[slot].detail;
        if claimed {
            let kept = Detail {
                first: now,
                violation: violation(),
            };
            if detail.set(Box::new(kept)).is_err() {
                unreachable!("[handleguard internal bug] a claimed slot had a detail already");
            }
        }
        Some(Recorded {
            slot,
            new: detail.get().filter(|_| claimed),
        })
    }

    /// Counts an occurrence that found no place.
    #[inline]
    pub(crate) fn drop_one(&self, lane: usize) {
        self.lanes[lane % LANES]
            .dropped
            .fetch_add(1, Ordering::Relaxed);
    }

    /// The slot that holds `key`, and whether it was claimed just now.
    fn claim(&self, key: NonZeroU64) -> Option<(usize, bool)> {
        for slot in self.probes(key) {
            // Relaxed, as in `standing`.
            match self.slots[slot].key.compare_exchange(
                0,
                key.get(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some((slot, true)),
                Err(held) if held == key.get() => return Some((slot, false)),
                Err(_) => {}
            }
        }
        None
    }

    /// The slots that may hold `key`, the first by the key's upper bits.
    #[inline]
    fn probes(&self, key: NonZeroU64) -> impl Iterator<Item = usize> {
        let len = self.slots.len();
        let start = ((u128::from(key.get()) * len as u128) >> 64) as usize;
        (0..PROBES.min(len)).map(move |probe| {
            let slot = start + probe;
            if slot < len { slot } else { slot - len }
        })
    }

    /// Adds handles that an earlier occurrence at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        self.lanes[lane % LANES].counts[slot]
            .handles
            .fetch_add(handles, Ordering::Relaxed);
    }

    /// Occurrences that found no place.
    pub(crate) fn dropped(&self) -> u64 {
        let of = |lane: &Lane| lane.dropped.load(Ordering::Relaxed);
        self.lanes.iter().map(of).sum()
    }

    /// All sites as they stand now.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let detail = entry.detail.get()?;
            let sum = |of: fn(&Count) -> &AtomicU64| {
                let each = self.lanes.iter().map(|lane| &lane.counts[slot]);
                each.map(|count| of(count).load(Ordering::Relaxed)).sum()
            };
            Some(Row {
                slot,
                count: sum(|count| &count.times),
                handles: sum(|count| &count.handles),
                last: Duration::from_nanos(entry.last.load(Ordering::Relaxed)),
                detail,
            })
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
