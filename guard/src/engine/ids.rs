//! The identities of isolates and of what is open in them.

use std::fmt;

/// The identity of one isolate: V8's isolate, or the corresponding instance of another engine.
///
/// The value is an address, and a later isolate may have the same one. [`end_isolate`](crate::end_isolate) ends all that is
/// recorded of the earlier isolate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IsolateId(pub usize);

impl fmt::Display for IsolateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Names one entry of a scope stack: a scope, callback or turn that is open. A thread issues each id once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryId(pub(crate) u64);

impl EntryId {
    /// Returns the id as a number other than 0, for a caller in another language.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the id with a number that [`get`](Self::get) has returned.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The id of no entry.
    pub(crate) const NONE: Self = Self(0);

    /// The id after this one.
    #[inline(always)]
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
