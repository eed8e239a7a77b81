//! The word of a thread that points at its pending log, as std has it.

use crate::thread::pending_log::PendingLog;
use std::cell::Cell;
use std::ptr;

thread_local! {
    static WORD: Cell<*const PendingLog> = const { Cell::new(ptr::null()) };
}

/// The word of the calling thread; null at first.
#[inline]
pub(crate) fn get() -> *const PendingLog {
    WORD.get()
}

/// Sets the word of the calling thread.
pub(crate) fn set(log: *const PendingLog) {
    WORD.set(log);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_word_of_its_own() {
        let log = Box::leak(Box::new(PendingLog::new()));
        set(log);
        assert!(ptr::eq(get(), log));
        std::thread::scope(|threads| {
            threads.spawn(|| assert!(get().is_null()));
        });
    }
}
