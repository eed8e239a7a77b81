//! The interner: keeps each place that is named at run time once. A [`Place`] holds `'static` references, so what it names is
//! never freed; that is why there is a limit.

use crate::foreign_text::foreign_text;
use crate::fork::mutex::ForkMutex;
use crate::place::{CodeAddress, CodeFrames, Location, Place, SourceLine};
use crate::sync::real::OnceBox;
use std::collections::{HashMap, HashSet};

/// How many places are kept. A program opens scopes at a limited number of lines; a host that names more places than this
/// makes the names up at run time.
pub(crate) const MAX_PLACES: usize = 4096;

static PLACES: ForkMutex<Places> = ForkMutex::new();

/// The places that are kept, by name and location. The keys borrow from the places.
type Places = HashMap<(&'static str, Key<'static>), &'static Place>;

/// A location as it is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    /// A file and a line.
    Line(&'a str, u32),
    /// A return address, of code whose line is unknown.
    Code(usize),
}

impl Place {
    /// Returns the place `name` at `file:line`, or at `file` if the line is 0. Equal arguments return the same reference. Up
    /// to 4096 places are kept; all others are one place whose text says so.
    ///
    /// Both texts are made harmless by [`foreign_text`]: an add-on or a file may have chosen them.
    ///
    /// Takes a lock: call it once for each place, and keep the result.
    ///
    /// ```
    /// let place = handleguard::Place::interned("on_close", "close.cc", 7);
    /// assert_eq!(place.to_string(), "`on_close` at close.cc:7");
    /// assert!(std::ptr::eq(place, handleguard::Place::interned("on_close", "close.cc", 7)));
    /// ```
    pub fn interned(name: &str, file: &str, line: u32) -> &'static Self {
        harmless_line(&foreign_text(name), &foreign_text(file), line)
    }
}

/// As [`Place::interned`], for texts that are harmless already.
pub(crate) fn harmless_line(name: &str, file: &str, line: u32) -> &'static Place {
    line_of(name, file, line).unwrap_or_else(beyond)
}

/// As [`harmless_line`]; returns `None` where there is no room.
pub(crate) fn line_of(name: &str, file: &str, line: u32) -> Option<&'static Place> {
    PLACES.with(|places| intern(places, MAX_PLACES, name, Key::Line(file, line)))
}

static FRAMES: ForkMutex<HashSet<&'static CodeFrames>> = ForkMutex::new();

/// Keeps `frames` once, and returns them; `None` where there is no room.
pub(crate) fn frames_of(frames: CodeFrames) -> Option<&'static CodeFrames> {
    FRAMES.with(|kept| {
        if let Some(known) = kept.get(&frames) {
            return Some(*known);
        }
        if kept.len() >= MAX_PLACES {
            return None;
        }
        let frames: &'static CodeFrames = Box::leak(Box::new(frames));
        kept.insert(frames);
        Some(frames)
    })
}

/// Keeps `name`, a function's; `None` where there is no room.
pub(crate) fn name_of(name: &str) -> Option<&'static str> {
    line_of(name, "", 0)?.name
}

/// Keeps a whole stack of return addresses, innermost first, once; `None` where there is no room, or for an empty one.
pub(crate) fn stack_of(ips: impl Into<Box<[usize]>>) -> Option<&'static CodeFrames> {
    let around = ips.into();
    let ip = *around.first()?;
    frames_of(CodeFrames { ip, around })
}

/// Returns the place of the function `name` that `ip` returns into, whose line is unknown; `None` where there is no room.
pub(crate) fn code_of(name: &str, ip: usize) -> Option<&'static Place> {
    PLACES.with(|places| intern(places, MAX_PLACES, name, Key::Code(ip)))
}

fn intern(places: &mut Places, max: usize, name: &str, key: Key<'_>) -> Option<&'static Place> {
    // The stored keys are `'static`, this one lives for the call. `HashMap::get` accepts it, for the key's type is covariant.
    if let Some(known) = places.get(&(name, key)) {
        return Some(known);
    }
    if places.len() >= max {
        return None;
    }
    let name: &'static str = name.to_owned().leak();
    let (key, location) = match key {
        Key::Line(file, line) => {
            let source: &'static SourceLine = Box::leak(Box::new(SourceLine {
                file: file.to_owned(),
                line,
            }));
            (Key::Line(&source.file, line), Location::Line(source))
        }
        Key::Code(ip) => (Key::Code(ip), Location::Code(CodeAddress { ip, stack: 0 })),
    };
    let place: &'static Place = Box::leak(Box::new(Place {
        name: Some(name),
        location,
    }));
    places.insert((name, key), place);
    Some(place)
}

/// Returns the place that stands for every one after the last that is kept.
fn beyond() -> &'static Place {
    static PLACE: OnceBox<Place> = OnceBox::new();
    PLACE.get_or_init(|| {
        Box::new(Place {
            name: None,
            location: Location::Line(Box::leak(Box::new(SourceLine {
                file: format!("<a place beyond the first {MAX_PLACES}>"),
                line: 0,
            }))),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_places_are_kept_once_and_the_number_is_limited() {
        let mut places = Places::new();
        let mut place = |name, line| intern(&mut places, 2, name, Key::Line("a.c", line));
        let first = place("f", 1).unwrap();
        assert_eq!(first.to_string(), "`f` at a.c:1");
        let second = place("g", 1).unwrap();
        assert_ne!(first, second);
        assert!(std::ptr::eq(first, place("f", 1).unwrap()));
        assert_eq!(place("f", 2), None, "no room");
        assert!(std::ptr::eq(second, place("g", 1).unwrap()));
    }

    #[test]
    fn a_foreign_name_is_cut_and_harmless_and_still_kept_once() {
        let long = "x".repeat(1000);
        let place = Place::interned("f\n\u{1b}[2J", &long, 7);
        assert_eq!(
            place.to_string(),
            format!(r"`f\n\u{{1b}}[2J` at {}…:7", "x".repeat(256))
        );
        assert!(std::ptr::eq(
            place,
            Place::interned("f\n\u{1b}[2J", &long, 7)
        ));
    }

    #[test]
    fn a_line_and_an_address_of_the_same_name_are_two_places() {
        let mut places = Places::new();
        let mut place = |key| intern(&mut places, 2, "f", key).unwrap().to_string();
        assert_eq!(place(Key::Line("", 7)), "`f` at :7");
        assert_eq!(place(Key::Code(7)), "`f` at 0x7");
    }

    #[test]
    fn the_places_without_room_share_one_that_says_so() {
        assert_eq!(beyond().to_string(), "<a place beyond the first 4096>");
        assert!(std::ptr::eq(beyond(), beyond()));
    }
}
