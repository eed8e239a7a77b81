//! What a thread starts to do with an isolate.

use crate::describe::scope::ScopeKind;
use std::fmt;

/// What begins in an isolate, or leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Beginning {
    /// A scope opens.
    Scope(ScopeKind),
    /// The host calls into JavaScript.
    Callback,
    /// A turn begins.
    Turn,
    /// The thread leaves the isolate.
    Exit,
}

impl Beginning {
    /// The verb of a sentence with this subject: what it does in the isolate, or to it.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Exit => "leaves",
            _ => "begins in",
        }
    }

    /// The label of the line that names its place.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Exit => "leaves",
            _ => "begins",
        }
    }

    /// When a backtrace of this moment was taken.
    pub(crate) const fn moment(self) -> &'static str {
        match self {
            Self::Scope(_) => "at the opening of the scope",
            Self::Callback => "at the start of the callback",
            Self::Turn => "at the start of the turn",
            Self::Exit => "at the exit",
        }
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(kind) => kind.fmt(f),
            Self::Callback => f.write_str("callback"),
            Self::Turn => f.write_str("turn"),
            Self::Exit => f.write_str("exit"),
        }
    }
}
