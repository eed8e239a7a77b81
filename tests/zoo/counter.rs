//! What a bare depth counter would say, fed by the same macros and calls: zero scopes open since the turn began when a
//! callback starts.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The line by which the parent knows that the counter has seen something.
pub const LINE: &str = "zoo: the counter stands at 0 at a callback";

/// A scope opens.
pub fn open() {
    DEPTH.set(DEPTH.get() + 1);
}

/// A scope closes.
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

/// A turn that goes on.
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

/// A callback starts. The bug may end the process, so it is said at once.
pub fn callback() {
    if DEPTH.get() == 0 {
        println!("\n{LINE}");
    }
}
