//! The isolates in use: which thread used each one first, for the report of a second thread; and which have ended, so that no
//! thread's record outlives its isolate.
//!
//! The table is locked where a thread makes or ends its record of an isolate, where a record is looked up for the first time
//! after some isolate has ended, and where a violation is described. A guard whose thread has a record takes no lock.

use crate::describe::first_user::FirstUser;
use crate::engine::ids::IsolateId;
use crate::foreign_text::foreign_text;
use crate::fork::mutex::ForkMutex;
use crate::place::Place;
use crate::symbolize::names;
use crate::sync::real::{AtomicU64, Ordering};
use std::cell::Cell;
use std::collections::HashMap;

/// How many isolates are kept. A process has a few at a time; one that disposes of its isolates unseen reaches the limit. The
/// isolates after that have no first user in reports, and their records do not outlive the end of any isolate.
const MAX_ISOLATES: usize = 4096;

static ISOLATES: Isolates = Isolates::new();

/// The table. The process has one; tests make their own.
struct Isolates {
    uses: ForkMutex<HashMap<IsolateId, FirstUse>>,
    /// Numbers given to isolates. A number is used once, whatever becomes of the table in a fork.
    numbers: AtomicU64,
    /// How many isolates have ended. Changed while the table is locked.
    ends: AtomicU64,
    /// How often any isolate was [raced for](note_race). Changed while the table is locked.
    races: AtomicU64,
}

/// Who used an isolate first, and the isolate's number.
struct FirstUse {
    user: FirstUser,
    number: u64,
    /// How often this isolate was raced for.
    races: u64,
}

/// Identifies one isolate among all that lie at its address in turn. Each record of the isolate, on whatever thread, holds one.
pub(crate) struct Lifetime {
    isolate: IsolateId,
    /// The isolate's number in the table; a number of its own if the table had no room.
    number: u64,
    /// How many isolates had ended when this one was last found in the table.
    checked_at: Cell<u64>,
    /// How often any isolate had been raced for, and this one, when that was last looked at.
    races: Cell<(u64, u64)>,
}

impl Isolates {
    const fn new() -> Self {
        Self {
            uses: ForkMutex::new(),
            numbers: AtomicU64::new(0),
            ends: AtomicU64::new(0),
            races: AtomicU64::new(0),
        }
    }

    fn note_use(&self, isolate: IsolateId, place: Place) -> Lifetime {
        let is_known = self.uses.with(|uses| uses.contains_key(&isolate));
        // Not under the lock: it walks the stack.
        let place = if is_known { place } else { names::kept(place) };
        self.uses.with(|uses| {
            let (number, races) = match uses.get(&isolate) {
                Some(known) => (known.number, known.races),
                None => {
                    let number = self.numbers.fetch_add(1, Ordering::Relaxed);
                    if uses.len() < MAX_ISOLATES {
                        let thread = thread_name();
                        let user = FirstUser { thread, place };
                        let first = FirstUse {
                            user,
                            number,
                            races: 0,
                        };
                        uses.insert(isolate, first);
                    }
                    (number, 0)
                }
            };
            Lifetime {
                isolate,
                number,
                checked_at: Cell::new(self.ends.load(Ordering::Relaxed)),
                races: Cell::new((self.races.load(Ordering::Relaxed), races)),
            }
        })
    }

    fn end(&self, isolate: IsolateId) {
        self.uses.with(|uses| {
            uses.remove(&isolate);
            // Release: whoever learns of a new isolate at this address finds the count raised. Also where the table does not
            // have the isolate, for a record may still be of it.
            self.ends.fetch_add(1, Ordering::Release);
        });
    }

    #[inline]
    fn has_ended(&self, lifetime: &Lifetime) -> bool {
        let ends = self.ends.load(Ordering::Acquire);
        lifetime.checked_at.get() != ends && self.is_gone(lifetime, ends)
    }

    fn note_race(&self, isolate: IsolateId) {
        self.uses.with(|uses| {
            if let Some(first) = uses.get_mut(&isolate) {
                first.races += 1;
                // Release: whoever finds the count raised finds that of the isolate raised.
                self.races.fetch_add(1, Ordering::Release);
            }
        });
    }

    #[inline]
    fn was_raced(&self, lifetime: &Lifetime) -> bool {
        let races = self.races.load(Ordering::Acquire);
        lifetime.races.get().0 != races && self.has_own_race(lifetime, races)
    }

    #[cold]
    fn has_own_race(&self, lifetime: &Lifetime, races: u64) -> bool {
        let (_, before) = lifetime.races.get();
        let now = self
            .uses
            .with(|uses| uses.get(&lifetime.isolate).map(|first| first.races));
        lifetime.races.set((races, now.unwrap_or(before)));
        now.is_some_and(|now| now != before)
    }

    /// Absence counts as the end: an isolate that had no room, or that a fork has lost with the table, cannot be found ended in
    /// any other way.
    #[cold]
    fn is_gone(&self, lifetime: &Lifetime, ends: u64) -> bool {
        let number = self
            .uses
            .with(|uses| uses.get(&lifetime.isolate).map(|first| first.number));
        let is_gone = number != Some(lifetime.number);
        if !is_gone {
            lifetime.checked_at.set(ends);
        }
        is_gone
    }
}

impl Lifetime {
    /// Whether the isolate has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        ISOLATES.has_ended(self)
    }

    /// Whether another thread has [raced](note_race) for the isolate since this was last asked.
    #[inline]
    pub(crate) fn was_raced(&self) -> bool {
        ISOLATES.was_raced(self)
    }
}

/// Records that this thread uses `isolate`, at `place`, if it is the first. Returns the isolate's lifetime.
pub(crate) fn note_use(isolate: IsolateId, place: Place) -> Lifetime {
    ISOLATES.note_use(isolate, place)
}

/// Records that this thread uses `isolate` and has not entered it, while another thread may be using it: the engine's counts may
/// come out wrong.
pub(crate) fn note_race(isolate: IsolateId) {
    ISOLATES.note_race(isolate);
}

/// Ends the lifetime of `isolate`, and with it the isolate's records on all threads.
pub(crate) fn end(isolate: IsolateId) {
    ISOLATES.end(isolate);
}

/// Returns the isolate in use, if there is exactly one.
pub(crate) fn only() -> Option<IsolateId> {
    ISOLATES.uses.with(|uses| match uses.len() {
        1 => uses.keys().next().copied(),
        _ => None,
    })
}

/// Returns the thread that used `isolate` first, and where.
pub(crate) fn first_user_of(isolate: IsolateId) -> Option<FirstUser> {
    ISOLATES
        .uses
        .with(|uses| Some(uses.get(&isolate)?.user.clone()))
}

/// Returns the name of this thread, for messages.
pub(crate) fn thread_name() -> String {
    foreign_text(std::thread::current().name().unwrap_or("<unnamed>"))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ISOLATE: IsolateId = IsolateId(1);
    const OTHER: IsolateId = IsolateId(2);

    #[test]
    fn an_isolate_ends_for_each_record_of_it_and_for_no_other() {
        let isolates = Isolates::new();
        let place = Place::here("first");
        let records = [
            isolates.note_use(ISOLATE, place),
            isolates.note_use(ISOLATE, place),
        ];
        let other = isolates.note_use(OTHER, place);
        isolates.end(ISOLATE);
        assert!(records.iter().all(|record| isolates.has_ended(record)));
        assert!(!isolates.has_ended(&other));
    }

    #[test]
    fn a_new_isolate_at_the_address_of_an_old_one_is_another() {
        let isolates = Isolates::new();
        let place = Place::here("first");
        let old = isolates.note_use(ISOLATE, place);
        isolates.end(ISOLATE);
        let new = isolates.note_use(ISOLATE, place);
        assert!(isolates.has_ended(&old));
        assert!(!isolates.has_ended(&new));
    }

    #[test]
    fn an_isolate_that_the_table_has_no_room_for_does_not_outlive_another() {
        let isolates = Isolates::new();
        let place = Place::here("first");
        for address in 0..MAX_ISOLATES {
            isolates.note_use(IsolateId(0x1000 + address), place);
        }
        let record = isolates.note_use(ISOLATE, place);
        assert!(!isolates.has_ended(&record));
        isolates.end(ISOLATE);
        assert!(isolates.has_ended(&record));
    }

    #[test]
    fn an_isolate_that_a_fork_has_lost_ends_all_the_same() {
        let isolates = Isolates::new();
        let record = isolates.note_use(ISOLATE, Place::here("parent"));
        isolates.uses.with(HashMap::clear);
        isolates.note_use(ISOLATE, Place::here("child"));
        isolates.end(ISOLATE);
        assert!(isolates.has_ended(&record));
    }

    #[test]
    fn a_race_is_seen_once_by_each_record_of_its_isolate_and_by_no_other() {
        let isolates = Isolates::new();
        let place = Place::here("first");
        let records = [
            isolates.note_use(ISOLATE, place),
            isolates.note_use(ISOLATE, place),
        ];
        let other = isolates.note_use(OTHER, place);
        isolates.note_race(ISOLATE);
        for record in &records {
            assert!(isolates.was_raced(record));
            assert!(!isolates.was_raced(record));
        }
        assert!(!isolates.was_raced(&other));
        let later = isolates.note_use(ISOLATE, place);
        assert!(!isolates.was_raced(&later));
    }
}
