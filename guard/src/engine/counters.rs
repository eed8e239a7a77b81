//! The counts that an engine keeps, and where it keeps them.
#![expect(unsafe_code, reason = "reads the engine's counters by their addresses")]

use std::ptr;

/// The engine's counts at one moment. Where a count is unknown, the verdict that needs it follows the scope stack, or is not
/// given.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EngineCounts {
    /// The engine's count of open handle scopes of the isolate (`HandleScopeData::level` in V8).
    pub level: Option<u32>,
    /// The number of handles alive in all open scopes of the isolate together.
    pub handles: Option<u64>,
}

/// The place of the next handle. Engines keep handles side by side in blocks of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The address of the next handle.
    pub next: usize,
    /// The end of the block.
    pub limit: usize,
}

impl Cursor {
    /// Returns how many handles were made since `earlier` and are still alive. `None` if the engine began another block in
    /// between, or a seal has cut the block.
    #[inline]
    pub fn since(self, earlier: Self) -> Option<u64> {
        let bytes = self.next.checked_sub(earlier.next)?;
        (self.limit == earlier.limit).then_some((bytes / size_of::<usize>()) as u64)
    }

    /// As [`since`](Self::since), where a seal may have cut the block after `earlier`.
    pub(crate) fn since_before_seal(self, earlier: Self) -> Option<u64> {
        let is_cut = (earlier.next..earlier.limit).contains(&self.limit);
        let limit = if is_cut { earlier.limit } else { self.limit };
        Self { limit, ..self }.since(earlier)
    }
}

/// The addresses at which an engine keeps an isolate's level and [`Cursor`], so that the fast path can read them.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    cursor: *const usize,
    level: *const u32,
}

impl Counters {
    /// Counters that are never read: the pending log holds them before it is first enabled.
    pub(crate) const NONE: Self = Self {
        cursor: ptr::null(),
        level: ptr::null(),
    };

    /// Returns the counters at `cursor`, where the two words of a [`Cursor`] stand, `next` first, and at `level`.
    ///
    /// # Safety
    ///
    /// Both addresses are readable until the record of their isolate [ends](crate::end_isolate), and only the thread that uses
    /// the isolate writes there.
    pub const unsafe fn new(cursor: *const usize, level: *const u32) -> Self {
        Self { cursor, level }
    }

    /// The engine's level now.
    #[inline(always)]
    pub(crate) fn level(self) -> u32 {
        // SAFETY: readable while the isolate's record exists (required by `new`), and only a pending log that is enabled for
        // that record reads them: `end_isolate` disables it first. Volatile, as the engine writes behind the compiler's back.
        unsafe { ptr::read_volatile(self.level) }
    }

    /// The address of the next handle now.
    #[inline(always)]
    pub(crate) fn next(self) -> usize {
        // SAFETY: as in `level`.
        unsafe { ptr::read_volatile(self.cursor) }
    }

    /// The cursor now, read word by word: the engine has just written the words one by one, and one wide load would wait for
    /// both stores.
    #[inline(always)]
    pub(crate) fn cursor(self) -> Cursor {
        Cursor {
            next: self.next(),
            // SAFETY: as in `level`; `new` requires two words at `cursor`.
            limit: unsafe { ptr::read_volatile(self.cursor.add(1)) },
        }
    }
}
