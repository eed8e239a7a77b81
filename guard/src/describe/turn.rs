//! A turn as a finding names it.

use crate::describe::gc_phase::GcPhase;
use crate::place::Place;
use std::fmt;

/// A turn, or a phase of garbage collection in its place, as a finding names it.
///
/// `Display` shows what it is and where it was marked: ``turn `uv_run` at src/main.rs:9:5``.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TurnRef {
    /// The turn's number, counted from 1 on each scope stack.
    pub number: u64,
    /// Where the turn was marked.
    pub place: Place,
    /// The phase of garbage collection that a guard marked; `None` for a turn of the event loop.
    pub gc: Option<GcPhase>,
}

impl fmt::Display for TurnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gc {
            Some(phase) => write!(f, "{phase} {}", self.place),
            None => write!(f, "turn {}", self.place),
        }
    }
}

impl TurnRef {
    /// The words for this turn where its place was named before: `turn`, or the phase.
    pub(crate) fn kind(&self) -> impl fmt::Display {
        let phase = self.gc;
        fmt::from_fn(move |f| match phase {
            Some(phase) => write!(f, "{phase}"),
            None => f.write_str("turn"),
        })
    }
}
