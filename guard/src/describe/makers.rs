//! The functions that made the handles of a finding.

use crate::fork::mutex::ForkMutex;
use crate::place::{CodeFrames, Location, Place};
use crate::symbolize::frame::is_of_dependency;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// How many stacks of makers are kept for one site.
pub(crate) const MAX_MAKERS: usize = 8;

/// How many functions a sentence names.
const SHOWN: usize = 3;

/// How many different sets are kept: each is never freed.
const MAX_SETS: usize = 1024;

/// The functions that made the handles of a finding, as far as they were seen, in the order of their first handles. Empty where
/// nobody was seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Makers(&'static [Maker]);

/// A function that made handles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Maker {
    /// The innermost function of the user's, with the line that made a handle. Before it is named, the stack on which the handle
    /// was made.
    pub place: Place,
    /// The function of the user's that called it, where symbols name one: of a helper that many functions share, this is the one
    /// to mend.
    pub caller: Option<Place>,
    /// How the function was seen.
    pub seen: Seen,
}

/// How a maker of handles was seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Seen {
    /// It made a handle.
    Making,
    /// It called the engine with no scope open since the turn began, and handles had been made since the turn began or since the maker
    /// before it: by this function, or before it ran. Where refused handles cannot be let through, no more can be seen.
    Calling,
}

impl Makers {
    /// The functions, in the order of their first handles.
    pub fn iter(&self) -> impl Iterator<Item = &Maker> {
        self.0.iter()
    }

    /// Whether nobody was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps these makers for ever, each function once, [`MAX_MAKERS`] at most; none where there is no room.
    pub(crate) fn of(makers: impl IntoIterator<Item = Maker>) -> Self {
        static SETS: ForkMutex<HashSet<&'static [Maker]>> = ForkMutex::new();
        let mut all: Vec<Maker> = Vec::new();
        for maker in makers {
            if all.len() < MAX_MAKERS && !all.iter().any(|it| it.is_function_of(&maker)) {
                all.push(maker);
            }
        }
        if all.is_empty() {
            return Self::default();
        }
        SETS.with(|sets| {
            if let Some(known) = sets.get(all.as_slice()) {
                return Self(known);
            }
            if sets.len() >= MAX_SETS {
                return Self::default();
            }
            let all: &'static [Maker] = all.leak();
            sets.insert(all);
            Self(all)
        })
    }

    /// The same, each changed by `change`.
    pub(crate) fn map(self, change: impl FnMut(Maker) -> Maker) -> Self {
        Self::of(self.0.iter().copied().map(change))
    }

    /// The stack on which the first handle was made, until it is named.
    pub(crate) fn first_stack(&self) -> Option<&'static CodeFrames> {
        match self.0.first()?.place.location {
            Location::Frames(frames) => Some(frames),
            _ => None,
        }
    }

    /// How the first function was seen.
    pub(crate) fn first_seen(&self) -> Option<Seen> {
        Some(self.0.first()?.seen)
    }

    /// The function to mend first, if it is named: the first maker, or what called it if the maker is a dependency's.
    pub(crate) fn to_mend(self) -> Option<&'static str> {
        let maker = self.0.first()?;
        let is_dependencys = is_of_dependency(Path::new(maker.place.location.file()));
        let caller = maker.caller.filter(|_| is_dependencys);
        caller.unwrap_or(maker.place).name
    }
}

impl Maker {
    /// A maker that is known by the stack on which it made a handle.
    pub(crate) fn on(stack: &'static CodeFrames, seen: Seen) -> Self {
        Self {
            place: Place::on(stack),
            caller: None,
            seen,
        }
    }

    /// The label of the line that names it.
    pub(crate) fn label(&self) -> &'static str {
        match self.seen {
            Seen::Making => "made by",
            Seen::Calling => "made before",
        }
    }

    /// Whether it is the same function, called by the same one; or the same stack, before it is named.
    fn is_function_of(&self, other: &Self) -> bool {
        let name = |place: Option<Place>| place.and_then(|place| place.name);
        if self.place.name.is_none() {
            return self == other;
        }
        self.place.name == other.place.name && name(self.caller) == name(other.caller)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seen == Seen::Calling {
            f.write_str("a call of the engine by ")?;
        }
        write!(f, "{}", self.place)?;
        match self.caller {
            Some(caller) => write!(f, ", called by {caller}"),
            None => Ok(()),
        }
    }
}

/// The end of a sentence: ``made by `on_close` at src/main.rs:9:5 and by 2 more functions``.
impl fmt::Display for Makers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, maker) in self.0.iter().take(SHOWN).enumerate() {
            match number {
                0 => write!(f, "{} {maker}", maker.label())?,
                _ => write!(
                    f,
                    "; and {} {maker}",
                    maker.label().trim_start_matches("made ")
                )?,
            }
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            1 => f.write_str("; and by 1 more function"),
            more => write!(f, "; and by {more} more functions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(name: &'static str, caller: Option<&'static str>) -> Maker {
        Maker {
            place: *Place::interned(name, "a.rs", 1),
            caller: caller.map(|caller| *Place::interned(caller, "b.rs", 2)),
            seen: Seen::Making,
        }
    }

    #[test]
    fn a_function_of_a_dependency_is_mended_by_its_caller() {
        let to_mend = |file: &str| {
            let makers = Makers::of([Maker {
                place: *Place::interned("inner", file, 1),
                caller: Some(*Place::interned("outer", "src/main.rs", 2)),
                seen: Seen::Making,
            }]);
            makers.to_mend()
        };
        assert_eq!(to_mend("src/lib.rs"), Some("inner"));
        assert_eq!(to_mend("/work/registry/lib.rs"), Some("inner"));
        for downloaded in ["registry/src/index", "git/checkouts"] {
            let file = format!("/home/me/.cargo/{downloaded}/deno_core/lib.rs");
            assert_eq!(to_mend(&file), Some("outer"), "{file}");
        }
    }

    #[test]
    fn each_function_is_named_once_with_its_caller() {
        let makers = Makers::of([
            maker("f", None),
            maker("f", None),
            maker("f", Some("g")),
            maker("h", None),
            maker("i", None),
        ]);
        assert_eq!(
            makers.to_string(),
            "made by `f` at a.rs:1; and by `f` at a.rs:1, called by `g` at b.rs:2; and by `h` at a.rs:1; and by 1 more function"
        );
        assert_eq!(makers.iter().count(), 4);
        assert!(Makers::of([]).is_empty());
    }
}
