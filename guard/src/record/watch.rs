//! Which turns are watched to see who makes the handles that they leave, and whom they were seen to be.
//!
//! A turn that is watched is sealed: the engine refuses each handle that is made directly under it, the engine layer lets it through
//! after all, and its stack is kept. Where the engine layer cannot do that, it may report each call of the engine in place of it.
//! Where a place is found to leave handles, the next turns there are watched; so the clean path of a host is not. The first turns of
//! each isolate are watched too, for a short program has no more of them.

use crate::config::action::Action;
use crate::describe::makers::Makers;
use crate::fork::mutex::ForkMutex;
use crate::place::Place;
use crate::sync::real::{AtomicBool, Ordering};
use std::collections::BTreeMap;

/// How many turns of each isolate are watched, from its first on.
const FIRST_TURNS: u64 = 16;

/// How many turns of a place that left handles are watched until handles were caught in that many.
const ROUNDS: u8 = 3;

/// How many turns of a place are watched at most, for one that leaves handles now and then.
const MAX_TURNS: u32 = 4096;

/// After how many turns at other places the place that is watched is given up, as its turns do not come again.
const PATIENCE: u32 = 1 << 16;

/// How many places are watched at once.
const MAX_PLACES: usize = 64;

/// Which turns the configuration lets the checker watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watching {
    /// None: `outer-growth` is off.
    Nothing,
    /// The first ones, and those of places that left handles.
    Suspects,
    /// Each: the first report ends the program.
    Everything,
}

impl Watching {
    /// The turns to be watched if `outer-growth` has that action.
    pub(crate) fn with(outer_growth: Action) -> Self {
        match outer_growth {
            Action::Off => Self::Nothing,
            Action::Count | Action::Log => Self::Suspects,
            Action::Panic | Action::Abort => Self::Everything,
        }
    }
}

/// The places that are watched, and the makers that were seen. See the [module](self).
pub(crate) struct Watch {
    watching: Watching,
    /// Places are watched. Read at each turn.
    has_places: AtomicBool,
    /// Makers of a site were seen that has been logged without them.
    has_news: AtomicBool,
    table: ForkMutex<Table>,
}

#[derive(Default)]
struct Table {
    places: Vec<Watched>,
    /// Turns at other places until all are given up.
    patience: u32,
    /// By the slot of the site.
    seen: BTreeMap<usize, Seen>,
}

struct Watched {
    place: (usize, usize),
    rounds: u8,
    turns: u32,
}

struct Seen {
    makers: Makers,
    is_news: bool,
}

impl Watch {
    pub(crate) const fn new(watching: Watching) -> Self {
        Self {
            watching,
            has_places: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            table: ForkMutex::new(),
        }
    }

    /// Whether the turn is to be watched that begins at `place`, the isolate's `number`th.
    #[inline]
    pub(crate) fn covers(&self, place: Place, number: u64) -> bool {
        match self.watching {
            Watching::Nothing => false,
            Watching::Everything => true,
            Watching::Suspects => {
                number <= FIRST_TURNS
                    || self.has_places.load(Ordering::Relaxed) && self.is_suspect(place)
            }
        }
    }

    #[cold]
    fn is_suspect(&self, place: Place) -> bool {
        self.with_places(|table| {
            let found = table.position(place);
            match found {
                Some(at) => {
                    table.patience = PATIENCE;
                    table.places[at].turns -= 1;
                    if table.places[at].turns == 0 {
                        table.places.swap_remove(at);
                    }
                }
                None => {
                    table.patience -= 1;
                    if table.patience == 0 {
                        table.places.clear();
                    }
                }
            }
            found.is_some()
        })
    }

    /// Watches the next turns at `place`, which left handles.
    #[cold]
    pub(crate) fn suspect(&self, place: Place) {
        self.with_places(|table| {
            if table.position(place).is_none() && table.places.len() < MAX_PLACES {
                table.patience = PATIENCE;
                table.places.push(Watched {
                    place: place.identity(),
                    rounds: ROUNDS,
                    turns: MAX_TURNS,
                });
            }
        });
    }

    /// Keeps the makers that were seen in a turn at `place`, for the site in `slot`. `is_logged`: the site may have been logged
    /// before. Returns whether that is news for the log.
    #[cold]
    pub(crate) fn see(&self, place: Place, slot: usize, makers: Makers, is_logged: bool) -> bool {
        self.with_places(|table| {
            if let Some(at) = table.position(place) {
                table.places[at].rounds -= 1;
                if table.places[at].rounds == 0 {
                    table.places.swap_remove(at);
                }
            }
            let seen = table.seen.entry(slot).or_insert(Seen {
                makers: Makers::default(),
                is_news: false,
            });
            let all = Makers::of(seen.makers.iter().chain(makers.iter()).copied());
            let is_news = is_logged && all != seen.makers && !all.is_empty();
            if !all.is_empty() {
                seen.makers = all;
            }
            seen.is_news |= is_news;
            if is_news {
                self.has_news.store(true, Ordering::Release);
            }
            is_news
        })
    }

    /// The makers that were seen for the site in `slot`.
    pub(crate) fn makers_of(&self, slot: usize) -> Makers {
        self.table.with(|table| {
            let seen = table.seen.get(&slot);
            seen.map_or_else(Makers::default, |seen| seen.makers)
        })
    }

    /// Whether a site that was logged has makers to be logged.
    pub(crate) fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Takes the slots of the sites that have makers to be logged, those that `accepts` holds for.
    pub(crate) fn take_news(&self, accepts: impl Fn(usize) -> bool) -> Vec<usize> {
        if !self.has_news() {
            return Vec::new();
        }
        self.table.with(|table| {
            let mut taken = Vec::new();
            let mut is_left = false;
            for (&slot, seen) in table.seen.iter_mut().filter(|(_, seen)| seen.is_news) {
                if accepts(slot) {
                    seen.is_news = false;
                    taken.push(slot);
                } else {
                    is_left = true;
                }
            }
            self.has_news.store(is_left, Ordering::Release);
            taken
        })
    }

    fn with_places<R>(&self, f: impl FnOnce(&mut Table) -> R) -> R {
        self.table.with(|table| {
            let result = f(table);
            self.has_places
                .store(!table.places.is_empty(), Ordering::Relaxed);
            result
        })
    }
}

impl Table {
    fn position(&self, place: Place) -> Option<usize> {
        let place = place.identity();
        self.places.iter().position(|known| known.place == place)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::describe::makers::{Maker, Seen};
    use crate::place::intern::stack_of;

    const LATER: u64 = FIRST_TURNS + 1;

    fn makers(ips: &[usize]) -> Makers {
        Makers::of(
            ips.iter()
                .filter_map(|&ip| Some(Maker::on(stack_of([ip])?, Seen::Making))),
        )
    }

    #[test]
    fn a_place_is_watched_from_its_first_leak_until_its_makers_were_seen_three_times() {
        let watch = Watch::new(Watching::with(Action::Log));
        let [leaks, clean] = [Place::here("leaks"), Place::here("clean")];
        assert!(!watch.covers(leaks, LATER), "no leak yet");
        watch.suspect(leaks);
        for round in 0..u64::from(ROUNDS) {
            assert!(watch.covers(leaks, LATER));
            assert!(watch.covers(leaks, LATER), "nothing was caught last time");
            assert!(!watch.covers(clean, LATER));
            // The same makers again are no news.
            assert_eq!(watch.see(leaks, 7, makers(&[0x51]), true), round == 0);
        }
        assert!(!watch.covers(leaks, LATER));
        assert_eq!(watch.makers_of(7), makers(&[0x51]));
        assert!(watch.makers_of(8).is_empty());
    }

    #[test]
    fn a_place_that_leaks_no_more_is_given_up() {
        let watch = Watch::new(Watching::with(Action::Count));
        let [leaks, clean] = [Place::here("leaks"), Place::here("clean")];
        watch.suspect(leaks);
        let watched = (0..2 * MAX_TURNS).filter(|_| watch.covers(leaks, LATER));
        assert_eq!(watched.count(), MAX_TURNS as usize);
        watch.suspect(leaks);
        for _ in 0..PATIENCE {
            assert!(!watch.covers(clean, LATER));
        }
        assert!(!watch.covers(leaks, LATER), "its turns did not come");
    }

    #[test]
    fn makers_seen_later_are_added_and_logged_once() {
        let watch = Watch::new(Watching::with(Action::Log));
        let place = Place::here("leaks");
        assert!(
            !watch.see(place, 1, makers(&[0x61]), false),
            "not logged yet"
        );
        assert!(watch.see(place, 1, makers(&[0x62]), true));
        assert_eq!(watch.makers_of(1), makers(&[0x61, 0x62]));
        assert_eq!(watch.take_news(|_| false), [0; 0]);
        assert!(watch.has_news());
        assert_eq!(watch.take_news(|slot| slot == 1), [1]);
        assert!(!watch.has_news());
    }

    #[test]
    fn the_action_decides_which_turns_are_watched() {
        let place = Place::here("turn");
        for (action, first, later) in [
            (Action::Off, false, false),
            (Action::Count, true, false),
            (Action::Log, true, false),
            (Action::Panic, true, true),
            (Action::Abort, true, true),
        ] {
            let watch = Watch::new(Watching::with(action));
            assert_eq!(watch.covers(place, 1), first, "{action}");
            assert_eq!(watch.covers(place, LATER), later, "{action}");
        }
    }
}
