//! Places in the user's program.

pub(crate) mod intern;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic;

/// A place in the user's program: where a scope was opened, a callback started, a turn began.
///
/// ```
/// let place = handleguard::Place::here("on_close");
/// assert!(place.to_string().starts_with("`on_close` at "));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The name given by the caller, or the function's name where symbols were looked up.
    pub name: Option<&'static str>,
    /// The position in the source or in the code.
    pub location: Location,
}

/// The position of a [`Place`]: in the source, or in the code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Location {
    /// `file:line:column` of a call in Rust.
    Source(&'static panic::Location<'static>),
    /// A line of a program in another language, or one found in debug information.
    Line(&'static SourceLine),
    /// Code whose source is unknown. A report looks up its name and line in the program's symbols.
    Code(CodeAddress),
    /// Such code with the frames around it, kept when the function that the place names may have returned.
    Frames(&'static CodeFrames),
}

/// A line of source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceLine {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1; 0 where it is unknown.
    pub line: u32,
}

/// An instruction, and the stack frame that it ran in.
#[derive(Clone, Copy, Debug)]
pub struct CodeAddress {
    /// The return address.
    pub ip: usize,
    /// An address inside the stack frame of the function that the place names, such as the address of a scope that the
    /// function holds. 0 if that function is the one that `ip` returns into.
    pub stack: usize,
}

/// An instruction, and the stack that it ran on. Which of its functions is the user's own is known only once they are named.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CodeFrames {
    /// The return address.
    pub ip: usize,
    /// The return addresses of the frames from the one that held [`CodeAddress::stack`] outwards, a limited number of them.
    pub around: Box<[usize]>,
}

// Only `ip` is compared: the address on the stack differs from one call to the next, and the place is the same.
impl PartialEq for CodeAddress {
    fn eq(&self, other: &Self) -> bool {
        self.ip == other.ip
    }
}

impl Eq for CodeAddress {}

impl Hash for CodeAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ip.hash(state);
    }
}

impl Place {
    /// The place of the caller, with a name for reports.
    #[inline]
    #[track_caller]
    pub fn here(name: impl Into<Option<&'static str>>) -> Self {
        Self {
            name: name.into(),
            location: Location::Source(panic::Location::caller()),
        }
    }

    /// A place known only by its code. The arguments are the fields of [`CodeAddress`].
    #[inline]
    pub const fn code(ip: usize, stack: usize) -> Self {
        Self {
            name: None,
            location: Location::Code(CodeAddress { ip, stack }),
        }
    }
}

impl Place {
    /// The place of the innermost function of the user's on a stack.
    pub(crate) const fn on(frames: &'static CodeFrames) -> Self {
        Self {
            name: None,
            location: Location::Frames(frames),
        }
    }

    /// The same place without the address on the stack, to be kept when the function may have returned.
    pub(crate) fn without_stack(self) -> Self {
        match self.location {
            Location::Code(code) => Self {
                location: Location::Code(CodeAddress { stack: 0, ..code }),
                ..self
            },
            _ => self,
        }
    }

    /// Returns numbers that differ from those of every other place: the addresses of the name and of the source line, which
    /// are the same at each call from one line. Their text is not compared.
    #[inline]
    pub(crate) fn identity(&self) -> (usize, usize) {
        let name = self.name.map_or(0, |name| name.as_ptr().addr());
        let location = match self.location {
            Location::Source(location) => (&raw const *location).addr(),
            Location::Line(line) => (&raw const *line).addr(),
            Location::Code(code) => code.ip,
            Location::Frames(frames) => (&raw const *frames).addr(),
        };
        (name, location)
    }
}

impl Location {
    /// Whether it is in the code, as a hook records it, and not in the source.
    #[inline]
    pub(crate) fn is_code(&self) -> bool {
        matches!(self, Self::Code(_) | Self::Frames(_))
    }

    /// The file's name; empty for a code address.
    pub fn file(&self) -> &'static str {
        match self {
            Self::Source(location) => location.file(),
            Self::Line(line) => &line.file,
            Self::Code(_) | Self::Frames(_) => "",
        }
    }

    /// The line, counted from 1; 0 where it is unknown.
    pub fn line(&self) -> u32 {
        match self {
            Self::Source(location) => location.line(),
            Self::Line(line) => line.line,
            Self::Code(_) | Self::Frames(_) => 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "`{name}` at {}", self.location),
            None => self.location.fmt(f),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(location) => location.fmt(f),
            Self::Line(SourceLine { file, line: 0 }) => f.write_str(file),
            Self::Line(SourceLine { file, line }) => write!(f, "{file}:{line}"),
            Self::Code(CodeAddress { ip, .. }) | Self::Frames(CodeFrames { ip, .. }) => {
                write!(f, "{ip:#x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_differ_only_in_the_stack_are_equal() {
        assert_eq!(Place::code(1, 2), Place::code(1, 3));
        assert_ne!(Place::code(1, 2), Place::code(2, 2));
    }

    #[test]
    fn a_location_shows_only_the_parts_that_are_known() {
        let shown = |line| {
            let file = "close.c".to_owned();
            let line = Box::leak(Box::new(SourceLine { file, line }));
            Location::Line(line).to_string()
        };
        assert_eq!(shown(7), "close.c:7");
        assert_eq!(shown(0), "close.c");
        assert_eq!(Place::code(0xabc, 1).to_string(), "0xabc");
    }
}
