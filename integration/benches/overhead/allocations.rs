//! The system's allocator, with counters.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

/// Allocations so far.
pub fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

/// Bytes allocated and not freed.
pub fn live() -> u64 {
    LIVE.load(Ordering::Relaxed)
}

// SAFETY: each method passes its arguments unchanged to the system's allocator, which has the same contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: `layout` has a size other than 0: required by `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: `at` was allocated with `layout` by `alloc` above, from `System`: required by `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}
