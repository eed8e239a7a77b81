use std::fmt;
use std::panic::Location;

/// A place in the user's source: where a scope was opened, a callback started, a turn began.
///
/// ```
/// let place = handleguard::Place::here("on_close");
/// assert!(place.to_string().starts_with("`on_close` at "));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The name given at the call, if any.
    pub name: Option<&'static str>,
    /// `file:line:column` of the call.
    pub location: &'static Location<'static>,
}

impl Place {
    /// The caller's own place, with the name to show for it.
    #[track_caller]
    pub fn here(name: impl Into<Option<&'static str>>) -> Self {
        Self {
            name: name.into(),
            location: Location::caller(),
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
