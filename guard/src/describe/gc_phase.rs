//! The moments at which garbage collection runs native code.

use crate::describe::beginning::Beginning;
use std::fmt;

/// A moment at which the engine runs native code that garbage collection started.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum GcPhase {
    /// A callback before or after a collection: a GC prologue or epilogue.
    Callback,
    /// The first pass of a weak callback: it may drop what it keeps for the object, and must not use the engine.
    FirstPass,
    /// The second pass of a weak callback, and so a finalizer: it may create handles in a scope that it opens itself. It must
    /// not call into JavaScript: V8 runs it inside the collection, where JavaScript is forbidden, and a call ends the process.
    SecondPass,
    /// A destructor of an object on the engine's heap, which the engine runs when it sweeps: V8's `cppgc`. It must not use the
    /// engine.
    Destructor,
    /// The isolate is being torn down.
    Teardown,
}

impl GcPhase {
    /// Whether `beginning` may begin in this phase.
    pub(crate) const fn allows(self, beginning: Beginning) -> bool {
        matches!(self, Self::SecondPass) && !matches!(beginning, Beginning::Callback)
    }
}

impl fmt::Display for GcPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback => "GC callback",
            Self::FirstPass => "first-pass weak callback",
            Self::SecondPass => "finalizer",
            Self::Destructor => "destructor",
            Self::Teardown => "teardown",
        })
    }
}
