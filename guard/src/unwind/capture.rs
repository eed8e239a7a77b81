//! Native stacks, captured as bare addresses where a violation is found.

use crate::unwind::stack_memory::Registers;
use crate::unwind::truncated::{MAX_FRAMES, Truncated};
use crate::unwind::{eh_frame, frame_pointers};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use arrayvec::ArrayVec;

/// How stacks are captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnwindMethod {
    /// By unwind tables; on x86-64 Linux by frame pointers where there is no table, as in JavaScript.
    Tables,
    /// By frame pointers. The first stack of each site is compared with what the tables tell, and kept as they tell it.
    FramePointers,
}

impl UnwindMethod {
    /// For the start-up line.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::FramePointers => "by frame pointers",
            Self::Tables if cfg!(all(target_os = "linux", target_arch = "x86_64")) => {
                "by unwind tables, and by frame pointers across JavaScript"
            }
            Self::Tables => "by unwind tables; they end where JavaScript begins",
        }
    }
}

/// Where a stack is captured from.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    registers: Registers,
}

impl Origin {
    /// The function that this is inlined into, which must live as long as the value is used.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        Self {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            registers: Registers::here(),
        }
    }
}

/// Return addresses, innermost first, not yet named.
#[derive(Clone)]
pub(crate) struct CapturedStack {
    ips: ArrayVec<usize, MAX_FRAMES>,
    cut: Option<Truncated>,
}

impl CapturedStack {
    /// The stack from `origin` outwards. Takes no lock and does not allocate, but for the first of a thread.
    #[inline]
    pub(crate) fn from(origin: Origin, unwind_method: UnwindMethod) -> Self {
        match unwind_method {
            UnwindMethod::FramePointers => Self::by_frame_pointers(origin),
            UnwindMethod::Tables => Self::by_tables(origin),
        }
    }

    /// Whether both ways tell of the same stack here; the stack, as the tables tell it.
    pub(crate) fn both(origin: Origin, by_pointers: &Self) -> (bool, Self) {
        let by_tables = Self::by_tables(origin);
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        let same_stack = frame_pointers::same_stack(by_pointers.ips(), by_tables.ips());
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        let same_stack = by_pointers.ips() == by_tables.ips();
        (same_stack, by_tables)
    }

    const fn empty() -> Self {
        Self {
            ips: ArrayVec::new_const(),
            cut: None,
        }
    }

    #[inline]
    fn by_frame_pointers(origin: Origin) -> Self {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        {
            let mut captured = Self::empty();
            if frame_pointers::walk(origin.registers, |ip| captured.push(ip)) {
                return captured;
            }
        }
        Self::by_tables(origin)
    }

    #[inline(never)]
    fn by_tables(#[allow(unused_variables)] origin: Origin) -> Self {
        let mut captured = Self::empty();
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if let Some(cut) = eh_frame::walk(origin.registers, |ip| captured.push(ip)) {
            captured.cut = captured.cut.or(cut);
            return captured;
        }
        captured.unwind();
        captured
    }

    /// By the unwinder that panics use; it stops where the engine's own code begins.
    #[expect(unsafe_code, reason = "the one entry into the unwinder")]
    fn unwind(&mut self) {
        let mut each = |frame: &backtrace::Frame| self.push(frame.ip().addr());
        // SAFETY: `trace_unsynchronized` asks that no other thread be in `backtrace` at the same time, which its
        // documentation and source (`backtrace/mod.rs`, `trace`) need for dbghelp on Windows only: elsewhere it is a
        // bare call of `_Unwind_Backtrace`, which is thread-safe. On Windows the lock is taken.
        #[cfg(not(windows))]
        unsafe {
            backtrace::trace_unsynchronized(&mut each);
        }
        #[cfg(windows)]
        backtrace::trace(&mut each);
    }

    #[inline]
    fn push(&mut self, ip: usize) -> bool {
        if self.ips.try_push(ip).is_err() {
            self.cut = Some(Truncated::TooDeep);
            return false;
        }
        true
    }

    #[inline]
    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips
    }

    /// Why the stack was not captured to its end, if it was not.
    pub(crate) fn truncated(&self) -> Option<Truncated> {
        self.cut
    }
}
