//! Hooks of isolates: made, entered, left, disposed of.

use super::{link, proof};
use crate::V8;
use crate::ffi::RawIsolate;
use std::ffi::c_void;
use std::ptr;

/// # Safety
///
/// As `v8__Isolate__New`'s.
pub(super) unsafe extern "C" fn new(params: *const c_void) -> *mut RawIsolate {
    if proof::is_probing() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_new(params) }
}

/// # Safety
///
/// As `v8__Isolate__Enter`'s.
pub(super) unsafe extern "C" fn enter(isolate: *mut RawIsolate) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_enter(isolate) };
}

/// # Safety
///
/// As `v8__Isolate__Exit`'s.
pub(super) unsafe extern "C" fn exit(isolate: *mut RawIsolate) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_exit(isolate) };
}

/// # Safety
///
/// As `v8__Isolate__Dispose`'s.
pub(super) unsafe extern "C" fn dispose(isolate: *mut RawIsolate) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the isolate is live until the next line.
    handleguard::end_isolate(unsafe { V8::from_raw(isolate) });
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_dispose(isolate) };
}
