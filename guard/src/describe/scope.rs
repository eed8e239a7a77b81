//! A scope as a finding names it.

use crate::place::Place;
use std::fmt;

/// The kind of a scope, by V8's names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ScopeKind {
    /// Holds the handles that are created while it is the innermost scope.
    HandleScope,
    /// A `HandleScope` that passes one handle on to its parent.
    EscapableHandleScope,
    /// Stands for the scope that the engine itself opened around a callback.
    CallbackScope,
    /// Catches exceptions; holds no handles.
    TryCatch,
}

impl ScopeKind {
    /// Whether handles land in a scope of this kind, so that it adds to the depth.
    pub const fn holds_handles(self) -> bool {
        !matches!(self, Self::TryCatch)
    }

    /// By how much a scope of this kind raises the engine's level. A `CallbackScope` raises it by nothing, because the engine
    /// opened that scope before.
    pub(crate) const fn levels(self) -> u32 {
        matches!(self, Self::HandleScope | Self::EscapableHandleScope) as u32
    }

    /// Whether a guard of this kind can belong to a scope that a hook recorded as `hooked`.
    pub(crate) const fn adopts(self, hooked: Self) -> bool {
        match self {
            Self::HandleScope | Self::EscapableHandleScope => {
                matches!(hooked, Self::HandleScope)
            }
            Self::TryCatch => matches!(hooked, Self::TryCatch),
            // The engine opens its own scopes without a call that could be hooked.
            Self::CallbackScope => false,
        }
    }
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandleScope => "HandleScope",
            Self::EscapableHandleScope => "EscapableHandleScope",
            Self::CallbackScope => "CallbackScope",
            Self::TryCatch => "TryCatch",
        })
    }
}

/// A recorded scope, as a finding names it.
///
/// `Display` shows its kind and place: ``HandleScope `main` at src/main.rs:7:5``.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ScopeRef {
    /// The scope's number on its scope stack; a scope opened later has a higher one.
    pub number: u64,
    /// The scope's kind.
    pub kind: ScopeKind,
    /// Where the scope was opened.
    pub place: Place,
    /// How many turns have begun since the scope was opened.
    pub turns_ago: u64,
}

impl fmt::Display for ScopeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.place)
    }
}

/// A scope with its number and age, for a labelled line.
pub(crate) struct Numbered<'a>(pub(crate) &'a ScopeRef);

impl fmt::Display for Numbered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScopeRef {
            number,
            kind,
            place,
            turns_ago,
        } = self.0;
        write!(f, "{kind} #{number} {place}")?;
        match turns_ago {
            0 => Ok(()),
            1 => f.write_str(", opened 1 turn ago"),
            n => write!(f, ", opened {n} turns ago"),
        }
    }
}
