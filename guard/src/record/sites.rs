//! The site table: one line with a count for each distinct cause.
//!
//! A table that fills up goes on in less detail, and never in silence:
//!
//! ```text
//!   by stack:  a rule, its places and the stack      as many as `sites` says
//!   by place:  a rule, its callback and its opener   for causes that found no room by stack
//!   by rule:   a rule                                for causes that found no room by place: always one for each rule
//! ```
//!
//! The counts lie apart from the slots, in lanes: threads that meet at one site count in lanes of their own, and only read what
//! they share.

use crate::config::rule::Rule;
use crate::describe::makers::Makers;
use crate::describe::violation::Violation;
use crate::react::subscriber::Subscriber;
use crate::record::slot_table::{Claim, SlotTable, Standing};
use crate::sync::{AtomicBool, AtomicU64, OnceBox, Ordering};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

/// How many lanes of counts there are. Each thread counts in one; a few threads have one each.
const LANES: usize = if cfg!(all(test, loom)) { 2 } else { 4 };

/// How many sites there are by place.
// In a model, each slot is some atomics to explore.
const BY_PLACE: usize = if cfg!(all(test, loom)) { 1 } else { 256 };

/// How many sites there are by rule.
const BY_RULE: usize = if cfg!(all(test, loom)) {
    1
} else {
    Rule::ALL.len()
};

/// How much of a cause identifies its site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Granularity {
    Stack,
    Place,
    Rule,
}

impl Granularity {
    /// What is left to try where there is no room.
    pub(crate) fn coarser(self) -> Option<Self> {
        match self {
            Self::Stack => Some(Self::Place),
            Self::Place => Some(Self::Rule),
            Self::Rule => None,
        }
    }
}

/// The site table. See the [module](self).
pub(crate) struct Sites {
    /// Each with the time of the last occurrence, in nanoseconds since the checker's start.
    by_stack: SlotTable<Detail, AtomicU64>,
    by_place: SlotTable<Detail, AtomicU64>,
    by_rule: SlotTable<Detail, AtomicU64>,
    lanes: [Lane; LANES],
    /// How many sites wait to be logged.
    unlogged: AtomicU64,
    /// How many sites were ever to be logged: the number of the next one. The clock is too coarse to order them.
    numbers: AtomicU64,
    /// The number of the site that is to be logged next.
    next: AtomicU64,
}

/// The counts of the threads of one lane, on cache lines of their own.
#[repr(align(128))]
struct Lane {
    counts: Box<[Count]>,
    /// Occurrences at sites that are not by stack.
    dropped: AtomicU64,
    /// Something was counted since [`take_changed`](Sites::take_changed).
    changed: AtomicBool,
}

struct Count {
    times: AtomicU64,
    handles: AtomicU64,
}

/// The first occurrence at a site.
pub(crate) struct First {
    pub(crate) violation: Violation,
    /// Where it is to be logged, if it is.
    pub(crate) to_log: Option<Subscriber>,
    /// The [generation](crate::fork::generation) of the process that it occurred in.
    pub(crate) generation: u64,
}

/// What does not change once a site is known.
pub(crate) struct Detail {
    number: u64,
    pub(crate) at: Duration,
    violation: Arc<Violation>,
    /// The same with its places named, once somebody has asked for it.
    named: OnceBox<Arc<Violation>>,
    to_log: Option<Subscriber>,
    generation: u64,
    logged: AtomicBool,
}

impl Detail {
    /// The first occurrence, with its places named. Slow the first time: reads the program's symbols.
    pub(crate) fn named(&self) -> &Arc<Violation> {
        self.named.get_or_init(|| {
            Box::new(match self.violation.named() {
                Some(named) => Arc::new(named),
                None => Arc::clone(&self.violation),
            })
        })
    }

    /// Who made the handles of the first occurrence, as far as that was seen.
    pub(crate) fn makers(&self) -> Makers {
        self.violation.finding.makers()
    }

    /// Whether the first occurrence has been logged.
    pub(crate) fn is_logged(&self) -> bool {
        self.logged.load(Ordering::Relaxed)
    }

    /// Where the first occurrence is to be logged.
    pub(crate) fn subscriber(&self) -> Option<&Subscriber> {
        self.to_log.as_ref()
    }
}

/// Where an occurrence was counted.
#[derive(Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) slot: usize,
    /// It is the first one there.
    pub(crate) is_new: bool,
}

/// One site as it stands now.
pub(crate) struct Row<'a> {
    pub(crate) slot: usize,
    pub(crate) granularity: Granularity,
    pub(crate) count: u64,
    pub(crate) handles: u64,
    pub(crate) last: Duration,
    pub(crate) detail: &'a Detail,
}

impl Sites {
    /// Creates an empty table for that many sites by stack.
    pub(crate) fn with_capacity(sites: usize) -> Self {
        let counts = sites + BY_PLACE + BY_RULE;
        let table = |slots| SlotTable::with_capacity(slots, || AtomicU64::new(0));
        Self {
            by_stack: table(sites),
            by_place: table(BY_PLACE),
            by_rule: table(BY_RULE),
            lanes: std::array::from_fn(|_| Lane {
                counts: (0..counts)
                    .map(|_| Count {
                        times: AtomicU64::new(0),
                        handles: AtomicU64::new(0),
                    })
                    .collect(),
                dropped: AtomicU64::new(0),
                changed: AtomicBool::new(false),
            }),
            unlogged: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            next: AtomicU64::new(0),
        }
    }

    /// Returns how many causes the table can hold by stack.
    pub(crate) fn capacity(&self) -> usize {
        self.by_stack.capacity()
    }

    /// The table of that detail, and the number of its first slot.
    #[inline]
    fn table(&self, granularity: Granularity) -> (&SlotTable<Detail, AtomicU64>, usize) {
        match granularity {
            Granularity::Stack => (&self.by_stack, 0),
            Granularity::Place => (&self.by_place, self.capacity()),
            Granularity::Rule => (&self.by_rule, self.capacity() + BY_PLACE),
        }
    }

    /// Looks up the cause `key`, and changes nothing.
    #[inline]
    pub(crate) fn standing(&self, granularity: Granularity, key: NonZeroU64) -> Standing {
        let (table, first) = self.table(granularity);
        match table.standing(key) {
            Standing::Known(slot) => Standing::Known(first + slot),
            other => other,
        }
    }

    /// Counts one more occurrence, at `now`, of the cause in `slot`.
    #[inline]
    pub(crate) fn count(&self, slot: usize, lane: usize, now: Duration) {
        let last = self.last(slot);
        let now = nanos(now);
        // Mostly only read: the clock is a coarse one.
        if last.load(Ordering::Relaxed) < now {
            last.fetch_max(now, Ordering::Relaxed);
        }
        let lane = &self.lanes[lane % LANES];
        lane.counts[slot].times.fetch_add(1, Ordering::Relaxed);
        if slot >= self.capacity() {
            lane.dropped.fetch_add(1, Ordering::Relaxed);
        }
        lane.has_changed();
    }

    /// The time of the last occurrence in `slot`.
    #[inline]
    fn last(&self, slot: usize) -> &AtomicU64 {
        match slot.checked_sub(self.capacity()) {
            None => self.by_stack.counters(slot),
            Some(merged) if merged < BY_PLACE => self.by_place.counters(merged),
            Some(merged) => self.by_rule.counters(merged - BY_PLACE),
        }
    }

    /// Counts one occurrence, at `now`, of the cause `key`. Calls `first` if it is the first one. Returns `None` if there is no
    /// room in that detail.
    pub(crate) fn record(
        &self,
        granularity: Granularity,
        key: NonZeroU64,
        lane: usize,
        now: Duration,
        first: impl FnOnce() -> First,
    ) -> Option<Recorded> {
        let (table, first_slot) = self.table(granularity);
        let Claim { slot, is_new } = table.claim(key)?;
        // Before the detail is published: a reader never sees a site that has not occurred.
        self.count(first_slot + slot, lane, now);
        if is_new {
            let First {
                violation,
                to_log,
                generation,
            } = first();
            let waits = to_log.is_some();
            let number = match waits {
                true => self.numbers.fetch_add(1, Ordering::Relaxed),
                false => 0,
            };
            table.publish(
                slot,
                Detail {
                    number,
                    at: now,
                    violation: Arc::new(violation),
                    named: OnceBox::new(),
                    to_log,
                    generation,
                    logged: AtomicBool::new(false),
                },
            );
            if waits {
                // Release: whoever finds it counted finds it published.
                self.unlogged.fetch_add(1, Ordering::Release);
            }
        }
        Some(Recorded {
            slot: first_slot + slot,
            is_new,
        })
    }

    /// Adds handles that an earlier occurrence at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        let lane = &self.lanes[lane % LANES];
        lane.counts[slot]
            .handles
            .fetch_add(handles, Ordering::Relaxed);
        lane.has_changed();
    }

    /// Returns how many occurrences had no room by stack.
    pub(crate) fn dropped(&self) -> u64 {
        let of = |lane: &Lane| lane.dropped.load(Ordering::Relaxed);
        self.lanes.iter().map(of).sum()
    }

    /// Returns whether anything was counted since the last call. An occurrence that is counted during the call may be found by
    /// the next one only.
    pub(crate) fn take_changed(&self) -> bool {
        let mut changed = false;
        for lane in &self.lanes {
            changed |= lane.changed.swap(false, Ordering::Relaxed);
        }
        changed
    }

    /// Whether a site waits to be logged.
    pub(crate) fn has_unlogged(&self) -> bool {
        self.unlogged.load(Ordering::Acquire) > 0
    }

    /// Returns the sites that this process, of that generation, has not logged yet, in the order in which they were found, for
    /// the caller to log.
    pub(crate) fn take_unlogged(&self, generation: u64) -> Vec<Row<'_>> {
        if !self.has_unlogged() {
            return Vec::new();
        }
        let waits = |detail: &Detail| {
            detail.to_log.is_some()
                && detail.generation == generation
                && !detail.logged.load(Ordering::Relaxed)
        };
        let mut rows: Vec<Row<'_>> = self.rows().filter(|row| waits(row.detail)).collect();
        rows.sort_by_key(|row| row.detail.number);
        // Up to one that another thread is about to publish, and that would come too late: that thread has it logged.
        rows.retain(|row| {
            let next = self.next.load(Ordering::Relaxed);
            let is_next = row.detail.number <= next;
            // If two threads log at once, one of them takes the site.
            let is_taken = is_next && !row.detail.logged.swap(true, Ordering::Relaxed);
            if is_taken {
                let after = row.detail.number + 1;
                self.next.store(after.max(next), Ordering::Relaxed);
            }
            is_taken
        });
        self.unlogged
            .fetch_sub(rows.len() as u64, Ordering::Relaxed);
        rows
    }

    /// Leaves the sites that the parent of this process has not logged to the parent, in a forked child of that generation.
    pub(crate) fn leave_unlogged_to_parent(&self, generation: u64) {
        let mut left = 0;
        let mut next = self.numbers.load(Ordering::Relaxed);
        let unlogged =
            |detail: &Detail| detail.to_log.is_some() && !detail.logged.load(Ordering::Relaxed);
        for Row { detail, .. } in self.rows().filter(|row| unlogged(row.detail)) {
            if detail.generation == generation {
                next = next.min(detail.number);
            } else if !detail.logged.swap(true, Ordering::Relaxed) {
                left += 1;
            }
        }
        self.next.store(next, Ordering::Relaxed);
        // A thread of the parent may have published a site that it had not counted yet at the fork.
        let _ = self
            .unlogged
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |unlogged| {
                Some(unlogged.saturating_sub(left))
            });
    }

    /// Iterates over all sites as they stand now.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        [Granularity::Stack, Granularity::Place, Granularity::Rule]
            .into_iter()
            .flat_map(move |granularity| {
                let (table, first) = self.table(granularity);
                table.published().map(move |(slot, detail, last)| {
                    let (count, handles) = self.counts(first + slot);
                    Row {
                        slot: first + slot,
                        granularity,
                        count,
                        handles,
                        last: Duration::from_nanos(last.load(Ordering::Relaxed)),
                        detail,
                    }
                })
            })
    }

    /// How often the cause in `slot` has occurred, and how many handles it has left.
    fn counts(&self, slot: usize) -> (u64, u64) {
        let sum = |of: fn(&Count) -> &AtomicU64| {
            let each = self.lanes.iter().map(|lane| &lane.counts[slot]);
            each.map(|count| of(count).load(Ordering::Relaxed)).sum()
        };
        (sum(|count| &count.times), sum(|count| &count.handles))
    }
}

impl Lane {
    /// Mostly only reads: what changed is asked for once an interval.
    #[inline]
    fn has_changed(&self) {
        if !self.changed.load(Ordering::Relaxed) {
            self.changed.store(true, Ordering::Relaxed);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
