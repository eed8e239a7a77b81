//! Native stacks, captured as bare addresses where a violation is found.

use crate::engine::{Layer, ScriptFrame};
use crate::trace::Trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::walk;

/// Frames kept of one stack. What lies deeper is cut, and the report says so.
pub const MAX_FRAMES: usize = 128;

/// How stacks are captured here, for the start-up line.
pub(crate) const HOW: &str = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    "by unwind tables, and by frame pointers across JavaScript"
} else {
    "by unwind tables; they end where JavaScript begins"
};

/// Return addresses, innermost first, not yet named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Captured {
    ips: [usize; MAX_FRAMES],
    len: usize,
    cut: bool,
}

impl Captured {
    /// The caller's stack. Does not allocate, but for the first of a thread.
    #[inline(never)]
    pub(crate) fn here() -> Self {
        let mut captured = Self {
            ips: [0; MAX_FRAMES],
            len: 0,
            cut: false,
        };
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if walk::walk(walk::Registers::here(), |ip| captured.push(ip)) {
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

    fn push(&mut self, ip: usize) -> bool {
        if self.len == MAX_FRAMES {
            self.cut = true;
            return false;
        }
        self.ips[self.len] = ip;
        self.len += 1;
        true
    }

    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips[..self.len]
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
