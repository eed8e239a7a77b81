//! Captures a native stack as bare addresses, at the moment a violation is found. Names are looked up later, if at all.

use crate::unwind::platform::{self, Registers};
use crate::unwind::truncated::{MAX_FRAMES, Truncated};
use arrayvec::ArrayVec;
use std::hash::Hasher;

/// How stacks are captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnwindMethod {
    /// By unwind tables; on x86-64 Linux by frame pointers where code has no table, as JavaScript has none.
    Tables,
    /// By frame pointers. The first stack of each site is walked by tables too, and the stack that the tables give is kept.
    FramePointers,
}

impl UnwindMethod {
    /// Returns the words for it in the start-up line.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::FramePointers => "by frame pointers",
            Self::Tables => platform::BY_TABLES,
        }
    }
}

/// The point that a stack is captured from.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    registers: Registers,
}

impl Origin {
    /// Makes the function that this is inlined into the innermost of the captured stack. That function must not return before
    /// the last use of the value.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        Self {
            registers: Registers::here(),
        }
    }
}

/// A captured stack: return addresses, innermost first.
#[derive(Clone)]
pub(crate) struct CapturedStack {
    ips: ArrayVec<usize, MAX_FRAMES>,
    truncated: Option<Truncated>,
}

impl CapturedStack {
    /// Captures the stack from `origin` outwards. Takes no lock and does not allocate, except for the first stack of a thread.
    #[inline]
    pub(crate) fn from(origin: Origin, unwind_method: UnwindMethod) -> Self {
        match unwind_method {
            UnwindMethod::FramePointers => Self::by_frame_pointers(origin),
            UnwindMethod::Tables => Self::by_tables(origin),
        }
    }

    /// Walks the stack again by tables. Returns whether that gives the same stack as `by_pointers`, and the stack that it
    /// gives.
    pub(crate) fn compare_methods(origin: Origin, by_pointers: &Self) -> (bool, Self) {
        let by_tables = Self::by_tables(origin);
        let same_stack = platform::same_stack(by_pointers.ips(), by_tables.ips());
        (same_stack, by_tables)
    }

    /// Whether a walk by frame pointers from `origin` gives the same stack as one by tables. The second walk, which takes long the
    /// first time, ends where the two part.
    pub(crate) fn methods_agree(origin: Origin) -> bool {
        let mut by_pointers = Self::empty();
        if !platform::walk_frame_pointers(origin.registers, |ip| by_pointers.push(ip)) {
            return false;
        }
        let mut by_tables = Self::empty();
        let walked = platform::walk_tables(origin.registers, |ip| {
            by_tables.push(ip) && platform::may_be_same_stack(by_pointers.ips(), by_tables.ips())
        });
        walked.is_some() && platform::same_stack(by_pointers.ips(), by_tables.ips())
    }

    const fn empty() -> Self {
        Self {
            ips: ArrayVec::new_const(),
            truncated: None,
        }
    }

    #[inline]
    fn by_frame_pointers(origin: Origin) -> Self {
        let mut captured = Self::empty();
        if platform::walk_frame_pointers(origin.registers, |ip| captured.push(ip)) {
            return captured;
        }
        Self::by_tables(origin)
    }

    #[inline(never)]
    fn by_tables(origin: Origin) -> Self {
        let mut captured = Self::empty();
        match platform::walk_tables(origin.registers, |ip| captured.push(ip)) {
            Some(truncated) => captured.truncated = captured.truncated.or(truncated),
            None => captured.unwind(),
        }
        captured
    }

    /// Walks the stack by the unwinder that panics use; it stops at the first frame without an unwind table, as the engine's
    /// compiled code is.
    #[expect(unsafe_code, reason = "the one entry into the unwinder")]
    fn unwind(&mut self) {
        let mut each = |frame: &backtrace::Frame| self.push(frame.ip().addr());
        if cfg!(windows) {
            backtrace::trace(&mut each);
        } else {
            // SAFETY: `trace_unsynchronized` asks that no other thread be in `backtrace` at the same time, which its
            // documentation and source (`backtrace/mod.rs`, `trace`) need for dbghelp on Windows only: elsewhere it is a
            // bare call of `_Unwind_Backtrace`, which is thread-safe. On Windows the branch above takes the lock.
            unsafe {
                backtrace::trace_unsynchronized(&mut each);
            }
        }
    }

    #[inline]
    fn push(&mut self, ip: usize) -> bool {
        if self.ips.try_push(ip).is_err() {
            self.truncated = Some(Truncated::TooDeep);
            return false;
        }
        true
    }

    #[inline]
    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips
    }

    /// Feeds the stack to `hasher`, without code that the program made while it ran.
    #[inline]
    pub(crate) fn hash_loaded(&self, hasher: &mut impl Hasher) {
        for ip in platform::loaded(&self.ips) {
            hasher.write_usize(ip);
        }
    }

    /// Returns why the stack was not captured to its end, if it was not.
    pub(crate) fn truncated(&self) -> Option<Truncated> {
        self.truncated
    }
}
