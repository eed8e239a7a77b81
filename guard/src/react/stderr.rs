//! Stderr for a dying process: no lock is waited for, and nothing is allocated.

use std::fmt::{self, Write as _};
use std::io::Write as _;

/// Writes through a small buffer of its own straight to the file descriptor, past the lock of `std::io::stderr` that
/// another thread may hold for ever.
pub(crate) struct RawStderr {
    buffer: [u8; 1024],
    len: usize,
}

impl RawStderr {
    pub(crate) fn new() -> Self {
        Self {
            buffer: [0; 1024],
            len: 0,
        }
    }

    /// Writes `text` and flushes. Errors are dropped: there is nobody left to tell.
    pub(crate) fn print(&mut self, text: impl fmt::Display) {
        let _ = write!(self, "{text}");
        self.flush();
    }

    fn flush(&mut self) {
        let bytes = &self.buffer[..self.len];
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            if let Ok(fd) = std::io::stderr().as_fd().try_clone_to_owned() {
                let _ = std::fs::File::from(fd).write_all(bytes);
                self.len = 0;
                return;
            }
        }
        let _ = std::io::stderr().write_all(bytes);
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

/// One line or more for a process that lives on; never panics where stderr is closed.
pub(crate) fn print(text: impl fmt::Display) {
    let _ = write!(std::io::stderr(), "{text}");
}
