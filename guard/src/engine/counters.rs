#![expect(unsafe_code, reason = "reads the engine's counters")]

use std::ptr;

/// The engine's own state at one moment. Either part may be unknown, and a verdict that needs it is then left to the
/// scope stack, or not given.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EngineCounts {
    /// Open handle scopes of the isolate, as the engine counts them (`HandleScopeData::level` in V8).
    pub level: Option<u32>,
    /// Handles alive in all open scopes of the isolate together.
    pub handles: Option<u64>,
}

/// Where an engine puts the next handle: it makes them one beside the other in blocks of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The address of the next handle.
    pub next: usize,
    /// The end of the block.
    pub limit: usize,
}

impl Cursor {
    /// Handles made since `earlier` and still alive. `None` if another block was taken in between, or the block was sealed.
    #[inline]
    pub fn since(self, earlier: Self) -> Option<u64> {
        let bytes = self.next.checked_sub(earlier.next)?;
        (self.limit == earlier.limit).then_some((bytes / size_of::<usize>()) as u64)
    }
}

/// Where an engine counts what the record is compared with: its level, and its [`Cursor`].
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    cursor: *const usize,
    level: *const u32,
}

impl Counters {
    pub(crate) const NONE: Self = Self {
        cursor: ptr::null(),
        level: ptr::null(),
    };

    /// Of these two places: at `cursor` are the two words of a [`Cursor`], `next` first.
    ///
    /// # Safety
    ///
    /// Both are readable until the record of their isolate [ends](crate::end_isolate), and written by no other thread than that
    /// which uses the isolate.
    pub const unsafe fn new(cursor: *const usize, level: *const u32) -> Self {
        Self { cursor, level }
    }

    #[inline(always)]
    pub(crate) fn level(self) -> u32 {
        // SAFETY: promised to `new`; those of `NONE` are asked by nobody, for nothing is armed with them. Volatile, for the
        // engine changes it behind the compiler's back.
        unsafe { ptr::read_volatile(self.level) }
    }

    /// Where the next handle goes.
    #[inline(always)]
    pub(crate) fn next(self) -> usize {
        // SAFETY: as in `level`.
        unsafe { ptr::read_volatile(self.cursor) }
    }

    /// Word by word, as the engine writes them: what was written in pieces is slow to read whole.
    #[inline(always)]
    pub(crate) fn cursor(self) -> Cursor {
        Cursor {
            next: self.next(),
            // SAFETY: as in `level`; two words were promised.
            limit: unsafe { ptr::read_volatile(self.cursor.add(1)) },
        }
    }
}
