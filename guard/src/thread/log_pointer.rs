//! The calling thread's pending log, found in one load.
#![expect(unsafe_code, reason = "reads a thread-local by its address")]

use crate::thread::pending_log::PendingLog;
use crate::thread::pending_logs::PendingLogs;
use std::cell::Cell;

#[cfg(not(all(test, loom)))]
static ALL: PendingLogs = PendingLogs::new();

/// The pending logs of all threads of the process.
#[cfg(not(all(test, loom)))]
pub(crate) fn all() -> &'static PendingLogs {
    &ALL
}

/// Loom's atomics cannot live in a `static`. The models build their own list; nothing here runs in them.
#[cfg(all(test, loom))]
pub(crate) fn all() -> &'static PendingLogs {
    unreachable!("[handleguard internal bug] the process-wide list in a model")
}

/// The calling thread's pending log; `None` before the log was first enabled, and while the thread ends.
#[inline(always)]
pub(crate) fn current() -> Option<&'static PendingLog> {
    // SAFETY: null, or a log that `LogSlot::get` has claimed for this thread. Logs are never freed, and `LogSlot` sets null
    // before it releases the log to another thread.
    unsafe { word::get().as_ref() }
}

/// Holds the log of one thread, and releases it when the thread ends. Lives in the thread's state.
pub(crate) struct LogSlot(Cell<Option<&'static PendingLog>>);

impl LogSlot {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// The thread's log, claimed at the first call.
    #[inline]
    pub(crate) fn get(&self) -> &'static PendingLog {
        match self.0.get() {
            Some(log) => log,
            None => self.claim(),
        }
    }

    #[cold]
    fn claim(&self) -> &'static PendingLog {
        let log = all().claim();
        self.0.set(Some(log));
        log
    }

    /// Lets [`current`] find the log, which must have been enabled once.
    #[inline]
    pub(crate) fn publish(&self, log: &'static PendingLog) {
        word::set(log);
    }
}

impl Drop for LogSlot {
    fn drop(&mut self) {
        word::set(std::ptr::null());
        if let Some(log) = self.0.get() {
            all().release(log);
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod word {
    use super::PendingLog;
    use crate::thread::tls_word;
    use std::ptr;

    tls_word::__tls_word!(".globl", "handleguard_pending_log");

    #[inline(always)]
    pub(super) fn get() -> *const PendingLog {
        // SAFETY: `offset` is the one that `__tls_word` declared just above.
        ptr::with_exposed_provenance(unsafe { tls_word::read(offset()) })
    }

    pub(super) fn set(log: *const PendingLog) {
        // SAFETY: as in `get`.
        unsafe { tls_word::write(offset(), log.expose_provenance()) }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod word {
    use super::PendingLog;
    use std::cell::Cell;
    use std::ptr;

    thread_local! {
        static WORD: Cell<*const PendingLog> = const { Cell::new(ptr::null()) };
    }

    #[inline]
    pub(super) fn get() -> *const PendingLog {
        WORD.get()
    }

    pub(super) fn set(log: *const PendingLog) {
        WORD.set(log);
    }
}
