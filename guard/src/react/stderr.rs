//! Stderr without the lock of [`std::io::stderr`].
//!
//! Another thread may hold that lock for as long as the process lives, and a child that is forked then inherits it locked. So
//! all text goes straight to the file descriptor.

use std::fmt::{self, Write as _};
use std::io;

/// Writes `text` at once, so that other threads write before or after it. Never panics: an error is dropped, for nobody is
/// left to report it to.
pub(crate) fn print(text: impl fmt::Display) {
    write(text.to_string().as_bytes());
}

/// Writes through a small buffer of its own, for a process that is about to die and may have no memory left.
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

    /// Writes `text` as far as it comes, and flushes.
    pub(crate) fn print(&mut self, text: impl fmt::Display) {
        let _ = write!(self, "{text}");
        self.flush();
    }

    fn flush(&mut self) {
        write(&self.buffer[..self.len]);
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

/// Needs no second descriptor, of which a process may have none left.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "std reaches the descriptor only through its lock"
)]
fn write(bytes: &[u8]) {
    use std::fs::File;
    use std::io::Write;
    use std::mem::ManuallyDrop;
    use std::os::fd::{AsRawFd, FromRawFd};

    let descriptor = io::stderr().as_raw_fd();
    // SAFETY: `ManuallyDrop` keeps the file from closing the descriptor, which it so only borrows, for this function. Where
    // the program has closed it, `write` returns an error.
    let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
    let _ = file.write_all(bytes);
}

#[cfg(not(unix))]
fn write(bytes: &[u8]) {
    use std::io::Write;

    let _ = io::stderr().write_all(bytes);
}
