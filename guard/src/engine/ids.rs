use std::fmt;

/// Identity of one engine instance: V8's isolate, or its like in another engine.
///
/// The value is an address and may come back once the instance is gone; [`end_isolate`](crate::end_isolate) ends its
/// record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IsolateId(pub usize);

impl fmt::Display for IsolateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Names one entry of a stack; given when it is pushed, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryId(pub(crate) u64);

impl EntryId {
    /// As a number, which is not 0.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Of a number that [`get`](Self::get) gave.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Of nothing.
    pub(crate) const NONE: Self = Self(0);

    /// The name of what is pushed after this.
    #[inline(always)]
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
