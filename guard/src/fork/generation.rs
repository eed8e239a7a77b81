//! Counts the forks between this process and the first one that used the checker.

use crate::sync::real::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Returns a number that differs between a process and each child that it forks. 0 if there was no fork.
///
/// A child made by a bare `clone` or `vfork` runs no handlers and keeps its parent's number.
#[inline]
pub(crate) fn current() -> u64 {
    watch();
    GENERATION.load(Ordering::Relaxed)
}

/// Makes each child count itself from now on.
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
        // SAFETY: a handler may only call what is async-signal-safe, for the parent may have other threads: `count_child` adds to
        // an atomic, and calls nothing.
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
