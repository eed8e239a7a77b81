//! How many forks lie between this process and the first one that ran the checker.

use crate::sync::real::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// A number that differs between a process and each child that it forks.
///
/// A child made by a bare `clone` or `vfork` runs no handlers and keeps its parent's number.
#[inline]
pub(crate) fn current() -> u64 {
    watch();
    GENERATION.load(Ordering::Relaxed)
}

/// Has each child count itself from now on.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
fn watch() {
    use crate::sync::real::AtomicBool;

    static WATCHED: AtomicBool = AtomicBool::new(false);

    extern "C" fn count_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    #[expect(unsafe_code, reason = "std has no handlers of forks")]
    fn register() {
        // SAFETY: `count_child` adds to an atomic, which is all that a child of several threads may safely do.
        unsafe { libc::pthread_atfork(None, None, Some(count_child)) };
        // After the registration, so that whoever sees it set knows that a fork will be counted. Two threads may both
        // register; a child then counts itself twice, and the number still differs.
        WATCHED.store(true, Ordering::Release);
    }

    if !WATCHED.load(Ordering::Acquire) {
        register();
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn watch() {}
