//! Room for places that come from outside of Rust: a [`Place`] holds what lives for ever, so each is kept once, and only so
//! many.

use crate::place::{Location, Place, SourceLine};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Places kept. A program has so many lines that open a scope; what is beyond shares one name.
const MAX_PLACES: usize = 4096;

static PLACES: Mutex<Option<Places>> = Mutex::new(None);

/// By name, file and line, which the place itself keeps.
type Places = HashMap<(&'static str, &'static str, u32), &'static Place>;

impl Place {
    /// A place that is not in Rust's source: `name` at `file:line`, or at `file` where the line is 0. Equal ones are kept
    /// once; of more than 4096, the rest is one place that says so.
    ///
    /// Takes a lock: make it once for each place, and keep it.
    ///
    /// ```
    /// let place = handleguard::Place::interned("on_close", "close.cc", 7);
    /// assert_eq!(place.to_string(), "`on_close` at close.cc:7");
    /// assert!(std::ptr::eq(place, handleguard::Place::interned("on_close", "close.cc", 7)));
    /// ```
    pub fn interned(name: &str, file: &str, line: u32) -> &'static Self {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        intern(places.get_or_insert_default(), MAX_PLACES, name, file, line)
    }
}

fn intern(places: &mut Places, max: usize, name: &str, file: &str, line: u32) -> &'static Place {
    // The key borrows for ever from what is kept; a look-up borrows for the call. `HashMap::get` allows that, for the key's
    // type is covariant.
    if let Some(known) = places.get(&(name, file, line)) {
        return known;
    }
    if places.len() >= max {
        return beyond();
    }
    let name: &'static str = name.to_owned().leak();
    let spot = Box::leak(Box::new(SourceLine {
        file: file.to_owned(),
        line,
        column: 0,
    }));
    let place: &'static Place = Box::leak(Box::new(Place {
        name: Some(name),
        location: Location::Line(spot),
    }));
    places.insert((name, &spot.file, line), place);
    place
}

/// What the places beyond the last share.
fn beyond() -> &'static Place {
    static LINE: OnceLock<SourceLine> = OnceLock::new();
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| Place {
        name: None,
        location: Location::Line(LINE.get_or_init(|| SourceLine {
            file: format!("<a place beyond the first {MAX_PLACES}>"),
            line: 0,
            column: 0,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_once_and_only_so_many() {
        let mut places = Places::new();
        let mut place = |name, line| intern(&mut places, 2, name, "a.c", line);
        let first = place("f", 1);
        assert_eq!(first.to_string(), "`f` at a.c:1");
        let second = place("g", 1);
        assert_ne!(first, second);
        assert!(std::ptr::eq(first, place("f", 1)));
        let beyond = place("f", 2);
        assert_eq!(beyond.to_string(), "<a place beyond the first 4096>");
        assert!(std::ptr::eq(beyond, place("f", 3)));
        assert!(std::ptr::eq(second, place("g", 1)), "what is kept stays");
    }
}
