//! The site table: one distinct cause is one line with a count.
//!
//! Of fixed size, shared by all threads, without a lock. A slot is claimed by exchanging its key from 0, and its detail
//! is published after that, once; a reader that comes in between passes the slot over. Slots are never freed.
//!
//! Two causes whose 64-bit keys are equal would be counted as one: with the table full, odds of one in 10^13.

use crate::sync::{AtomicU64, OnceBox, Ordering};
use crate::violation::Violation;
use std::num::NonZeroU64;
use std::time::Duration;

/// Distinct causes kept. What comes after that is counted as dropped.
// In a model each slot is five atomics to explore.
pub const MAX_SITES: usize = if cfg!(all(test, loom)) { 1 } else { 1024 };

/// Slots tried for a key before it is dropped.
const PROBES: usize = 32;

/// The site table. See the [module](self).
pub(crate) struct Sites {
    slots: Box<[Slot]>,
    dropped: AtomicU64,
}

struct Slot {
    /// 0 while free.
    key: AtomicU64,
    count: AtomicU64,
    handles: AtomicU64,
    /// Nanoseconds since the checker's start.
    last: AtomicU64,
    detail: OnceBox<Detail>,
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
    /// Occurrences at this site, with this one.
    pub(crate) count: u64,
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
                    count: AtomicU64::new(0),
                    handles: AtomicU64::new(0),
                    last: AtomicU64::new(0),
                    detail: OnceBox::new(),
                })
                .collect(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Counts one occurrence of the cause `key` at `now`; `violation` is asked for if it is the first. `None` if the
    /// table has no place for it.
    pub(crate) fn record(
        &self,
        key: NonZeroU64,
        now: Duration,
        violation: impl FnOnce() -> Violation,
    ) -> Option<Recorded<'_>> {
        let Some((slot, claimed)) = self.claim(key) else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let entry = &self.slots[slot];
        entry.last.fetch_max(nanos(now), Ordering::Relaxed);
        let count = entry.count.fetch_add(1, Ordering::Relaxed) + 1;
        if claimed {
            let detail = Detail {
                first: now,
                violation: violation(),
            };
            if entry.detail.set(Box::new(detail)).is_err() {
                unreachable!("[handleguard internal bug] a claimed slot had a detail already");
            }
        }
        Some(Recorded {
            slot,
            count,
            new: entry.detail.get().filter(|_| claimed),
        })
    }

    /// The slot that holds `key`, and whether it was claimed just now.
    fn claim(&self, key: NonZeroU64) -> Option<(usize, bool)> {
        let len = self.slots.len();
        let start = usize::try_from(key.get() % len as u64).ok()?;
        for probe in 0..PROBES.min(len) {
            let slot = (start + probe) % len;
            // Relaxed: the key publishes nothing; `detail` has its own release.
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

    /// Adds handles that an earlier occurrence at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, handles: u64) {
        self.slots[slot]
            .handles
            .fetch_add(handles, Ordering::Relaxed);
    }

    /// Occurrences that found no place.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// All sites as they stand now.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let detail = entry.detail.get()?;
            Some(Row {
                slot,
                count: entry.count.load(Ordering::Relaxed),
                handles: entry.handles.load(Ordering::Relaxed),
                last: Duration::from_nanos(entry.last.load(Ordering::Relaxed)),
                detail,
            })
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
