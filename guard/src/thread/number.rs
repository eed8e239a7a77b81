//! The number of a thread.

use crate::sync::real::{AtomicUsize, Ordering};
use std::cell::Cell;

/// The number of this thread, which no other thread of the process ever has. May be called while the thread's locals are being
/// destroyed.
pub fn thread_number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Without a destructor, so that it can be read as long as the thread runs.
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(THREADS.fetch_add(1, Ordering::Relaxed) + 1);
    }
    NUMBER.get()
}
