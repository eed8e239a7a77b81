//! The scope in which handles land.

use crate::describe::handles::Handles;
use crate::describe::lines::Lines;
use crate::describe::scope::{Numbered, ScopeRef};
use crate::place::Place;
use std::fmt;

/// The scope in which handles land, as far as it is known.
///
/// `Display` is the end of a sentence: ``the HandleScope `main` at src/main.rs:7:5``.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opener {
    /// A recorded scope.
    Known(ScopeRef),
    /// A scope that the engine has open and that no guard or hook recorded.
    Unrecorded,
    /// The scope that the engine itself opened around native code, which it called inside the callback at this place.
    Engine(Place),
    /// No scope is open at all.
    Nothing,
    /// The scope that the engine opened around the native code that JavaScript called, inside the callback at this place.
    /// Reported in strict mode only: a call straight from the event loop would not have that scope.
    Caller(Place),
}

impl Opener {
    /// The recorded scope, if it is one.
    pub(crate) fn scope(&self) -> Option<ScopeRef> {
        match *self {
            Self::Known(scope) => Some(scope),
            Self::Unrecorded | Self::Engine(_) | Self::Nothing | Self::Caller(_) => None,
        }
    }

    /// Changes each place in it.
    pub(crate) fn map_places(&mut self, change: &mut dyn FnMut(&mut Place)) {
        match self {
            Self::Known(scope) => change(&mut scope.place),
            Self::Engine(place) | Self::Caller(place) => change(place),
            Self::Unrecorded | Self::Nothing => {}
        }
    }

    /// Writes the line that names the scope, with `alive`, the number of handles in all open scopes, where it is known.
    pub(crate) fn line(
        &self,
        lines: &mut Lines<'_, '_>,
        label: &str,
        alive: Option<u64>,
    ) -> fmt::Result {
        match (self, alive) {
            (Self::Known(scope), Some(alive)) => {
                let scope = Numbered(scope);
                lines.line(label, format_args!("{scope}; {} alive now", Handles(alive)))
            }
            (Self::Known(scope), None) => lines.line(label, Numbered(scope)),
            (Self::Unrecorded, _) => {
                lines.line(label, "a HandleScope that no guard or hook recorded")
            }
            (Self::Engine(callback), _) => lines.line(
                label,
                format_args!(
                    "a HandleScope that the engine opened around native code, in callback {callback}"
                ),
            ),
            (Self::Nothing, _) => lines.line(label, self),
            (Self::Caller(caller), _) => lines.line(
                "hidden by",
                format_args!(
                    "the scope that the engine opened for the JavaScript caller, in callback {caller}"
                ),
            ),
        }
    }
}

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(scope) => write!(f, "the {scope}"),
            Self::Unrecorded => f.write_str("a HandleScope that handleguard did not record"),
            Self::Engine(callback) => {
                write!(f, "the engine's own HandleScope in callback {callback}")
            }
            Self::Nothing => f.write_str("no HandleScope that handleguard sees"),
            Self::Caller(caller) => write!(
                f,
                "the HandleScope of the JavaScript caller in callback {caller}"
            ),
        }
    }
}
