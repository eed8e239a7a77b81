//! Native stacks, captured as bare addresses where a violation is found.

use crate::engine::{Layer, ScriptFrame};
use crate::trace::Trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::{frame_pointers, machine_stack::Registers, tables};
use arrayvec::ArrayVec;

/// Frames kept of one stack. What lies deeper is cut, and the report says so.
pub const MAX_FRAMES: usize = 128;

/// How stacks are captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// By unwind tables; on x86-64 Linux by frame pointers where there is no table, as in JavaScript.
    Tables,
    /// By frame pointers. The first stack of each site is compared with what the tables tell, and kept as they tell it.
    FramePointers,
}

impl Way {
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

/// Why a stack was not captured to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// It has more than [`MAX_FRAMES`].
    TooDeep,
    /// The next frame does not lie on the thread's stack.
    LeftTheStack,
    /// There is neither a table nor a frame pointer to go on by.
    NoWay,
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
pub(crate) struct Captured {
    ips: ArrayVec<usize, MAX_FRAMES>,
    cut: Option<Cut>,
}

impl Captured {
    /// The stack from `origin` outwards. Takes no lock and does not allocate, but for the first of a thread.
    #[inline]
    pub(crate) fn from(origin: Origin, way: Way) -> Self {
        match way {
            Way::FramePointers => Self::by_frame_pointers(origin),
            Way::Tables => Self::by_tables(origin),
        }
    }

    /// Whether both ways tell of the same stack here; the stack, as the tables tell it.
    pub(crate) fn both(origin: Origin, by_pointers: &Self) -> (bool, Self) {
        let by_tables = Self::by_tables(origin);
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        let agree = frame_pointers::agree(by_pointers.ips(), by_tables.ips());
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        let agree = by_pointers.ips() == by_tables.ips();
        (agree, by_tables)
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
        if let Some(cut) = tables::walk(origin.registers, |ip| captured.push(ip)) {
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
            self.cut = Some(Cut::TooDeep);
            return false;
        }
        true
    }

    #[inline]
    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips
    }

    /// Keeps the stack of a violation, to be named later: with the script's own frames, which only the engine can name, and
    /// only now.
    pub(crate) fn keep(
        &self,
        layer: &'static Layer,
        script: Vec<ScriptFrame>,
        full: bool,
    ) -> Trace {
        Trace::new(self.ips(), self.cut, layer, script, full)
    }
}
