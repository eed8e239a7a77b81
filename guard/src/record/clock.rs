//! Time since the checker's start.

use std::time::Duration;

/// A clock that is cheap to read: to a few milliseconds, where the system has one that is.
pub(crate) struct Clock {
    started: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: coarse() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Duration {
        coarse().saturating_sub(self.started)
    }
}

/// What the kernel noted at its last tick (`clock_gettime(2)`, `CLOCK_MONOTONIC_COARSE`): no counter is read for it.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
#[expect(unsafe_code, reason = "std has no coarse clock")]
fn coarse() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    // Both are what they are in a valid time: not negative, and the second less than 10^9.
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn coarse() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}
