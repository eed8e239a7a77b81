//! Hooks of isolates: made, entered, left, disposed of.
//!
//! # Safety
//!
//! Each hook requires what the function in whose place it is called requires of its arguments, and that the linker wrapped that
//! function.

use super::real;
use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use crate::{gc, seal};
use handleguard::{ForkMutex, IsolateId, Place, hooks};
use std::collections::BTreeSet;
use std::ffi::c_void;

/// The isolates that were made through the hook and are not disposed of yet.
static MADE: ForkMutex<BTreeSet<usize>> = ForkMutex::new();

/// Whether the hooks saw the isolate made, so that they report its collections and end its record.
pub(crate) fn has_isolate_hooks(isolate: IsolateId) -> bool {
    MADE.with(|made| made.contains(&isolate.0))
}

/// # Safety
///
/// As `v8__Isolate__New`'s.
pub(super) unsafe fn new(params: *const c_void, _ip: usize) -> *mut RawIsolate {
    // SAFETY: V8's function requires the same.
    let isolate = unsafe { real::isolate_new(params) };
    if !isolate.is_null() && handleguard::is_on() {
        // SAFETY: V8 has just made it, so it is live, and no other thread has it.
        gc::add_callbacks(unsafe { LiveV8::from_raw(isolate) });
        MADE.with(|made| made.insert(isolate.addr()));
    }
    isolate
}

/// # Safety
///
/// As `v8__Isolate__Enter`'s: `isolate` is live, and no other thread uses it.
pub(super) unsafe fn enter(isolate: *mut RawIsolate, ip: usize) {
    // SAFETY: V8's function requires the same.
    unsafe { real::isolate_enter(isolate) };
    // SAFETY: `isolate` is live and this thread has entered it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    hooks::serve(|| handleguard::enter(live, Place::code(ip, (&raw const ip).addr())));
}

/// # Safety
///
/// As `v8__Isolate__Exit`'s: `isolate` is live, and this thread has entered it.
pub(super) unsafe fn exit(isolate: *mut RawIsolate, ip: usize) {
    // SAFETY: `isolate` is live and this thread has entered it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    hooks::serve(|| handleguard::exit(live, Place::code(ip, (&raw const ip).addr())));
    // SAFETY: V8's function requires the same.
    unsafe { real::isolate_exit(isolate) };
}

/// # Safety
///
/// As `v8__Isolate__Dispose`'s: `isolate` is live, and no thread uses it.
pub(super) unsafe fn dispose(isolate: *mut RawIsolate, _ip: usize) {
    // SAFETY: `isolate` is live and no thread uses it, as this function requires.
    end(unsafe { LiveV8::from_raw(isolate) });
    // SAFETY: V8's function requires the same.
    unsafe { real::isolate_dispose(isolate) };
}

/// A snapshot creator makes and disposes of its isolate in C++.
///
/// # Safety
///
/// As `v8__SnapshotCreator__DESTRUCT`'s: `creator` owns a live isolate, which this thread has entered.
pub(super) unsafe fn destruct_snapshot_creator(creator: *mut c_void, _ip: usize) {
    // SAFETY: `creator` is one, as this function requires.
    let isolate = unsafe { ffi::v8__SnapshotCreator__GetIsolate(creator) };
    // SAFETY: `isolate` is live and this thread has entered it, as this function requires.
    end(unsafe { LiveV8::from_raw(isolate) });
    // SAFETY: V8's function requires the same.
    unsafe { real::snapshot_creator_destruct(creator) };
}

/// Ends what the checker keeps of an isolate, before V8 disposes of it.
fn end(isolate: LiveV8<'_>) {
    seal::lift_all(isolate);
    hooks::isolate_ends(isolate);
    MADE.with(|made| made.remove(&isolate.as_raw().addr()));
}
