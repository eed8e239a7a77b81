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
    /// The name given at the call, if any.
    pub name: Option<&'static str>,
    /// Where it is.
    pub location: Location,
}

/// Where a [`Place`] is: as its source says, or as the code that was run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Location {
    /// `file:line:column` of a call in Rust.
    Source(&'static panic::Location<'static>),
    /// As another language says, or as debug information has it.
    Line(&'static SourceLine),
    /// Code that says nothing of itself. Named by its symbols when a violation is described.
    Code(CodeAddress),
}

/// A line of source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceLine {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1; 0 where it is unknown.
    pub line: u32,
    /// The column, counted from 1; 0 where it is unknown.
    pub column: u32,
}

/// An instruction, and the stack it ran on.
#[derive(Clone, Copy, Debug)]
pub struct CodeAddress {
    /// The address to return to.
    pub ip: usize,
    /// An address inside the stack frame of the function that is meant: of the scope that it holds. 0 where that function is
    /// the one returned to.
    pub stack: usize,
}

// The stack's address differs from one call to the next, and the place is the same.
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
    /// The caller's own place, with the name to show for it.
    #[inline]
    #[track_caller]
    pub fn here(name: impl Into<Option<&'static str>>) -> Self {
        Self {
            name: name.into(),
            location: Location::Source(panic::Location::caller()),
        }
    }

    /// A place that is known by its code only; see [`CodeAddress`].
    #[inline]
    pub const fn code(ip: usize, stack: usize) -> Self {
        Self {
            name: None,
            location: Location::Code(CodeAddress { ip, stack }),
        }
    }
}

impl Place {
    /// The same, for a later moment: what was on the stack then is gone.
    pub(crate) fn without_stack(self) -> Self {
        match self.location {
            Location::Code(code) => Self {
                location: Location::Code(CodeAddress { stack: 0, ..code }),
                ..self
            },
            _ => self,
        }
    }

    /// What tells it from other places at one look: where the compiler has put its name and its source line, which are equal
    /// for one call, and not their text.
    #[inline]
    pub(crate) fn identity(&self) -> (usize, usize) {
        let name = self.name.map_or(0, |name| name.as_ptr().addr());
        let spot = match self.location {
            Location::Source(location) => std::ptr::from_ref(location).addr(),
            Location::Line(line) => std::ptr::from_ref(line).addr(),
            Location::Code(code) => code.ip,
        };
        (name, spot)
    }
}

impl Location {
    /// The file's name; empty for code that was not named.
    pub fn file(&self) -> &'static str {
        match self {
            Self::Source(location) => location.file(),
            Self::Line(line) => &line.file,
            Self::Code(_) => "",
        }
    }

    /// The line, counted from 1; 0 where it is unknown.
    pub fn line(&self) -> u32 {
        match self {
            Self::Source(location) => location.line(),
            Self::Line(line) => line.line,
            Self::Code(_) => 0,
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
            Self::Line(SourceLine { file, line, column }) => {
                f.write_str(file)?;
                for number in [line, column].into_iter().take_while(|&&number| number > 0) {
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
            Self::Code(CodeAddress { ip, .. }) => write!(f, "{ip:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_does_not_tell_places_apart() {
        assert_eq!(Place::code(1, 2), Place::code(1, 3));
        assert_ne!(Place::code(1, 2), Place::code(2, 2));
    }

    #[test]
    fn each_spot_shows_what_it_knows() {
        let line = |line, column| {
            let file = "close.c".to_owned();
            let line = Box::leak(Box::new(SourceLine { file, line, column }));
            Location::Line(line).to_string()
        };
        assert_eq!(line(7, 3), "close.c:7:3");
        assert_eq!(line(7, 0), "close.c:7");
        assert_eq!(line(0, 0), "close.c");
        assert_eq!(Place::code(0xabc, 1).to_string(), "0xabc");
    }
}
