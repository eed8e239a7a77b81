//! The pending logs of all threads, so that the end of an isolate reaches the threads that used it before.
//!
//! A list that only grows: a thread claims a log that an ended thread has released, or adds a new one. So there are as many
//! logs as there were threads at one time, and none is ever freed. No lock: a forked child may use the list at once.
#![expect(unsafe_code, reason = "a list of leaked nodes, shared by all threads")]

use crate::engine::ids::IsolateId;
use crate::sync::{AtomicPtr, Ordering};
use crate::thread::pending_log::PendingLog;
use std::ptr;

/// The list. See the [module](self).
pub(crate) struct PendingLogs {
    first: AtomicPtr<PendingLog>,
}

impl PendingLogs {
    #[cfg(not(all(test, loom)))]
    pub(crate) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Loom's atomics have no constant constructor.
    #[cfg(all(test, loom))]
    pub(crate) fn new() -> Self {
        Self {
            first: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// A log for the calling thread, and for no other until the thread [releases](Self::release) it.
    pub(crate) fn claim(&self) -> &'static PendingLog {
        for log in self.iter() {
            // Acquire: what the previous owner wrote to the cells is visible to this one.
            let claimed =
                log.in_use
                    .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
            if claimed.is_ok() {
                return log;
            }
        }
        self.add(Box::leak(Box::new(PendingLog::new())))
    }

    fn add(&self, log: &'static PendingLog) -> &'static PendingLog {
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            log.next.store(first, Ordering::Relaxed);
            // Release: whoever finds the log finds it initialised.
            match self.first.compare_exchange_weak(
                first,
                (&raw const *log).cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return log,
                Err(newer) => first = newer,
            }
        }
    }

    /// Gives up a log that the calling thread has claimed.
    pub(crate) fn release(&self, log: &'static PendingLog) {
        log.reset();
        log.in_use.store(false, Ordering::Release);
    }

    /// Disables every log that is enabled for `isolate`, which is about to end.
    pub(crate) fn disable_for(&self, isolate: IsolateId) {
        for log in self.iter() {
            log.disable_for(isolate);
        }
    }

    /// The addresses of all logs.
    #[cfg(all(test, loom))]
    pub(crate) fn addresses(&self) -> Vec<usize> {
        self.iter().map(|log| (&raw const *log).addr()).collect()
    }

    fn iter(&self) -> impl Iterator<Item = &'static PendingLog> {
        // Acquire: pairs with the release in `add`.
        let mut next = self.first.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: null, or a log that `claim` has leaked and `add` has published. A reference is shared by threads, and
            // each method that a thread calls on a log it does not own touches atomics only.
            let log = unsafe { next.as_ref() }?;
            next = log.next.load(Ordering::Relaxed);
            Some(log)
        })
    }
}

// SAFETY: a log is not `Sync` because of its cells. `claim` hands one out to one thread at a time, and `release` by that
// thread happens before the next claim (acquire and release on `in_use`); `iter` is private, and the methods called on logs
// of other threads touch atomics only.
unsafe impl Sync for PendingLogs {}
