//! A table of fixed size that all threads share without a lock.
//!
//! ```text
//!          claim                publish
//!   free ─────────▶ claimed ─────────────▶ published
//!   key 0           key set                key set, detail set
//! ```
//!
//! A thread claims a free slot by exchanging its key from 0, and then publishes the slot's detail, once. A reader that comes in
//! between passes the slot over. A slot is never freed.

use crate::sync::{AtomicU64, OnceBox, Ordering};
use std::hash::Hasher;
use std::num::NonZeroU64;

/// How many slots are tried for a key before the table counts as full for it.
const PROBES: usize = 32;

/// The table: for each key, a detail that does not change, and counters that are made with the slot.
///
/// Two details whose 64-bit keys are equal share one slot. With a thousand keys, the odds are one in 10^13.
pub(crate) struct SlotTable<D, C>(Box<[Slot<D, C>]>);

struct Slot<D, C> {
    /// 0 while the slot is free.
    key: AtomicU64,
    detail: OnceBox<D>,
    counters: C,
}

/// The key of what was fed to `hasher`.
#[inline]
pub(crate) fn key(hasher: &impl Hasher) -> NonZeroU64 {
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

/// Where a key stands in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// In this slot.
    Known(usize),
    /// Not in the table, which has room for it.
    New,
    /// Not in the table, which is full.
    NoRoom,
}

/// The slot of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) slot: usize,
    /// The caller claimed the slot just now, and has to publish its detail.
    pub(crate) is_new: bool,
}

impl<D, C> SlotTable<D, C> {
    /// Creates a table of that many free slots.
    pub(crate) fn with_capacity(slots: usize, counters: impl Fn() -> C) -> Self {
        let slot = |_| Slot {
            key: AtomicU64::new(0),
            detail: OnceBox::new(),
            counters: counters(),
        };
        Self((0..slots).map(slot).collect())
    }

    /// Returns how many keys the table can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.0.len()
    }

    /// Looks up `key`, and changes nothing.
    #[inline]
    pub(crate) fn standing(&self, key: NonZeroU64) -> Standing {
        for slot in self.probes(key) {
            // Relaxed: the key publishes nothing; `detail` has a release of its own.
            match self.0[slot].key.load(Ordering::Relaxed) {
                0 => return Standing::New,
                held if held == key.get() => return Standing::Known(slot),
                _ => {}
            }
        }
        Standing::NoRoom
    }

    /// Returns the slot that holds `key`, and claims one if none does. `None` if the table is full.
    pub(crate) fn claim(&self, key: NonZeroU64) -> Option<Claim> {
        for slot in self.probes(key) {
            // Relaxed, as in `standing`.
            match self.0[slot].key.compare_exchange(
                0,
                key.get(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Claim { slot, is_new: true }),
                Err(held) if held == key.get() => {
                    return Some(Claim {
                        slot,
                        is_new: false,
                    });
                }
                Err(_) => {}
            }
        }
        None
    }

    /// Publishes the detail of a slot that the caller has [claimed](Self::claim).
    pub(crate) fn publish(&self, slot: usize, detail: D) -> Option<&D> {
        let published = &self.0[slot].detail;
        if published.set(Box::new(detail)).is_err() {
            unreachable!("[handleguard internal bug] a claimed slot had a detail already");
        }
        published.get()
    }

    /// Returns the detail of a slot; `None` if whoever claimed it has not published it yet.
    pub(crate) fn detail(&self, slot: usize) -> Option<&D> {
        self.0[slot].detail.get()
    }

    /// Returns the counters of a slot. They may be changed from its claim on.
    #[inline]
    pub(crate) fn counters(&self, slot: usize) -> &C {
        &self.0[slot].counters
    }

    /// Iterates over the published slots.
    pub(crate) fn published(&self) -> impl Iterator<Item = (usize, &D, &C)> {
        let slots = self.0.iter().enumerate();
        slots.filter_map(|(slot, entry)| Some((slot, entry.detail.get()?, &entry.counters)))
    }

    /// The slots that may hold `key`, the first by the key's upper bits.
    #[inline]
    fn probes(&self, key: NonZeroU64) -> impl Iterator<Item = usize> {
        let len = self.0.len();
        let start = ((u128::from(key.get()) * len as u128) >> 64) as usize;
        (0..PROBES.min(len)).map(move |probe| {
            let slot = start + probe;
            if slot < len { slot } else { slot - len }
        })
    }
}
