//! Time since the checker's start.

use std::time::Duration;

/// A clock that is cheap to read, and as coarse as a few milliseconds where the system has such a one.
pub(crate) struct Clock {
    started: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: coarse() }
    }

    /// Returns the time since the start.
    #[inline]
    pub(crate) fn now(&self) -> Duration {
        coarse().saturating_sub(self.started)
    }
}

/// Returns the time that the kernel noted at its last timer tick (`clock_gettime(2)`, `CLOCK_MONOTONIC_COARSE`), which takes no
/// reading of a hardware counter.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
#[expect(unsafe_code, reason = "std has no coarse clock")]
fn coarse() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one `timespec`, through a pointer to `time`. Every Linux since 2.6.32 has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    // A time of this clock is not negative, and its nanoseconds are fewer than 10^9.
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn coarse() -> Duration {
    use crate::sync::real::OnceBox;
    use std::time::Instant;

    static FIRST: OnceBox<Instant> = OnceBox::new();
    FIRST.get_or_init(|| Box::new(Instant::now())).elapsed()
}
