//! Why a test could judge nothing.

use std::fmt;

/// Why the closure of a test has no verdict. `Display` is the end of a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unjudged {
    /// No guard and no hook ran.
    NotUsed,
    /// No isolate is known whose handles could be counted.
    NothingCounted,
    /// The turn of the closure ended before the closure did.
    EndedEarly,
    /// The engine has fewer scopes open than at the start.
    ClosedOuterScope,
    /// The record and the engine disagree.
    Desync,
    /// The thread has left an isolate in which scopes were open.
    Left,
}

impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUsed => "no guard and no hook saw the closure use an isolate on this thread",
            Self::NothingCounted => "this thread has no isolate whose handles can be counted",
            Self::EndedEarly => "the closure ended a turn that began before it",
            Self::ClosedOuterScope => "the closure closed a scope that was opened before it",
            Self::Desync => "handleguard's record disagrees with the engine's count of open scopes",
            Self::Left => "the closure left an isolate in which scopes were open",
        })
    }
}
