//! The calling thread's pending log, found in one load.
#![expect(unsafe_code, reason = "dereferences the thread's word")]

use crate::thread::pending_log::PendingLog;
use crate::thread::pending_logs::PendingLogs;
use crate::thread::platform;
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
    unsafe { platform::get().as_ref() }
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
        platform::set(log);
    }
}

impl Drop for LogSlot {
    fn drop(&mut self) {
        platform::set(std::ptr::null());
        if let Some(log) = self.0.get() {
            all().release(log);
        }
    }
}
