//! Stderr without the lock of [`std::io::stderr`], and without waiting for long.
//!
//! Another thread may hold that lock for as long as the process lives, and a child that is forked then inherits it locked. So
//! all text goes straight to the file descriptor. And stderr may be a pipe that nobody reads: a text that finds no room in time
//! is lost, and the next one that finds room says how many were.

use crate::sync::real::{AtomicU64, Ordering};
use std::fmt::{self, Write as _};
use std::io;
use std::time::{Duration, Instant};

/// How long a text may take on a thread of the host, or in a process that is about to die.
const BRIEF: Duration = Duration::from_millis(100);

/// How long a text may take on a thread of the checker.
const PATIENT: Duration = Duration::from_secs(1);

/// How much is written at once: as much as a pipe takes whole or not at all, and that it has room for if it has room
/// (`PIPE_BUF`, pipe(7)).
const CHUNK: usize = 4096;

/// Texts that were lost, and of which nobody knows yet.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Writes `text` at once, so that other threads write before or after it. Never panics: a text that cannot be written is lost,
/// for nobody is left to report it to.
pub(crate) fn print(text: impl fmt::Display) {
    write_by(Instant::now() + BRIEF, text.to_string().as_bytes());
}

/// As [`print`](fn@print), for a thread that may wait. It waits once: while texts are lost, the next ones are not waited for.
pub(crate) fn print_patiently(text: impl fmt::Display) {
    let text = text.to_string();
    let patience = match LOST.load(Ordering::Relaxed) {
        0 => PATIENT,
        _ => BRIEF,
    };
    write_by(Instant::now() + patience, text.as_bytes());
}

/// Writes through a small buffer of its own, for a process that is about to die and may have no memory left.
pub(crate) struct RawStderr {
    buffer: [u8; 1024],
    len: usize,
    deadline: Instant,
}

impl RawStderr {
    pub(crate) fn new() -> Self {
        Self {
            buffer: [0; 1024],
            len: 0,
            deadline: Instant::now() + BRIEF,
        }
    }

    /// Writes `text` as far as it comes, and flushes.
    pub(crate) fn print(&mut self, text: impl fmt::Display) {
        let _ = write!(self, "{text}");
        self.flush();
    }

    fn flush(&mut self) {
        // What the text itself took to make does not count.
        self.deadline = self.deadline.max(Instant::now() + BRIEF / 10);
        write_by(self.deadline, &self.buffer[..self.len]);
        self.len = 0;
    }
}

impl fmt::Write for RawStderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.len == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// Writes `bytes`, after a line about the texts lost before.
fn write_by(deadline: Instant, bytes: &[u8]) {
    let lost = LOST.load(Ordering::Relaxed);
    if lost > 0 {
        let line = format!("handleguard: messages lost because stderr took no more: {lost}\n");
        if write(deadline, line.as_bytes()).is_ok() {
            LOST.fetch_sub(lost, Ordering::Relaxed);
        }
    }
    if write(deadline, bytes).is_err() {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Needs no second descriptor, of which a process may have none left.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "std reaches the descriptor only through its lock"
)]
fn write(deadline: Instant, mut bytes: &[u8]) -> io::Result<()> {
    use std::fs::File;
    use std::io::{ErrorKind, Write};
    use std::mem::ManuallyDrop;
    use std::os::fd::{AsRawFd, FromRawFd};

    let descriptor = io::stderr().as_raw_fd();
    // SAFETY: `ManuallyDrop` keeps the file from closing the descriptor, which it so only borrows, for this function. Where
    // the program has closed it, `write` returns an error.
    let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
    while !bytes.is_empty() {
        wait_for_room(descriptor, deadline)?;
        match file.write(&bytes[..bytes.len().min(CHUNK)]) {
            Ok(written) => bytes = &bytes[written..],
            // A descriptor that does not block may have less room than `poll` found.
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until `descriptor` takes [`CHUNK`] bytes.
///
/// # Errors
///
/// If it does not until `deadline`, or if nobody can read what is written: a write would then raise SIGPIPE, which ends a host
/// that does not ignore it.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "std has no `poll`")]
fn wait_for_room(descriptor: i32, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = libc::pollfd {
            fd: descriptor,
            events: libc::POLLOUT,
            revents: 0,
        };
        let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: reads and writes one `pollfd`, through a pointer to `polled`.
        let found = unsafe { libc::poll(&raw mut polled, 1, millis) };
        if found > 0 {
            let broken = polled.revents & (libc::POLLERR | libc::POLLNVAL) != 0;
            return if broken {
                Err(io::ErrorKind::BrokenPipe.into())
            } else {
                Ok(())
            };
        }
        if found == 0 || Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // Interrupted by a signal.
    }
}

#[cfg(all(unix, not(all(target_os = "linux", target_arch = "x86_64"))))]
fn wait_for_room(_: i32, _: Instant) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn write(_: Instant, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;

    io::stderr().write_all(bytes)
}
