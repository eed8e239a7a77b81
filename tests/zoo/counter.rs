//! A bare depth counter, fed by the same macros and calls: it notices a callback that starts with no scope opened since the turn
//! began.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The line that the counter prints where it notices a callback.
pub const LINE: &str = "zoo: the counter stands at 0 at a callback";

/// Counts a scope that opens.
pub fn open() {
    DEPTH.set(DEPTH.get() + 1);
}

/// Counts a scope that closes.
pub fn close() {
    DEPTH.set(DEPTH.get().saturating_sub(1));
}

/// A scope that is open to the end of a block.
pub struct Opened;

impl Opened {
    pub fn new() -> Self {
        open();
        Self
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        close();
    }
}

/// A turn that is running.
pub struct Turn(u32);

impl Turn {
    pub fn new() -> Self {
        Self(DEPTH.replace(0))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Checks a callback that starts. Prints at once, because the bug may end the process.
pub fn callback() {
    if DEPTH.get() == 0 {
        println!("\n{LINE}");
    }
}
