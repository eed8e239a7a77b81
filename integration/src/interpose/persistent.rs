//! Hooks of persistent handles: made and reset. A weak one has none where it is made: the collection of its object resets it.
//!
//! # Safety
//!
//! Each hook requires what the function in whose place it is called requires of its arguments, and that the linker wrapped that
//! function.

use super::real;
use crate::current;
use crate::ffi::{Handle, RawIsolate};
use crate::isolate::LiveV8;
use handleguard::{Engine, hooks};

/// # Safety
///
/// As `v8__Global__New`'s: `isolate` is live, and this thread uses it.
pub(super) unsafe fn global_new(isolate: *mut RawIsolate, data: Handle, ip: usize) -> Handle {
    // SAFETY: V8's function requires the same.
    let made = unsafe { real::global_new(isolate, data) };
    // SAFETY: `isolate` is live and this thread uses it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    hooks::persistent_handle_made(live, ip, made.addr());
    made
}

/// # Safety
///
/// As `v8__Global__Reset`'s: `data` is a persistent handle that was not reset before.
pub(super) unsafe fn global_reset(data: Handle, _ip: usize) {
    let isolate = || current::live().map(|live| live.name().isolate());
    hooks::persistent_handle_reset(isolate, data.addr());
    // SAFETY: V8's function requires the same.
    unsafe { real::global_reset(data) };
}
