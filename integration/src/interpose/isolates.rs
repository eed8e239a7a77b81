//! Hooks of isolates: made, entered, left, disposed of.

use super::{link, proof};
use crate::engine::{LiveV8, V8};
use crate::ffi::RawIsolate;
use crate::gc;
use handleguard::{Place, hooks};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// The isolates that were made through the hook and are not disposed of yet.
static MADE: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn made<R>(f: impl FnOnce(&mut BTreeSet<usize>) -> R) -> R {
    f(&mut MADE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether the record of the isolate ends with it by a hook, and its collections are told of already.
pub(crate) fn has_isolate_hooks(isolate: V8) -> bool {
    made(|made| made.contains(&isolate.as_raw().addr()))
}

/// # Safety
///
/// As `v8__Isolate__New`'s.
pub(super) unsafe extern "C" fn new(params: *const c_void) -> *mut RawIsolate {
    if proof::is_probing() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promise, and this is its hook.
    let isolate = unsafe { link::real_isolate_new(params) };
    if !isolate.is_null() && handleguard::is_on() {
        // SAFETY: it was just made.
        unsafe { gc::add_gc_callbacks_raw(isolate) };
        made(|made| made.insert(isolate.addr()));
    }
    isolate
}

/// # Safety
///
/// As `v8__Isolate__Enter`'s.
pub(super) unsafe extern "C" fn enter(isolate: *mut RawIsolate, ip: usize) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_enter(isolate) };
    // SAFETY: the caller's promise: it is live.
    let engine = unsafe { LiveV8::from_raw(isolate) };
    hooks::serve(|| handleguard::enter(engine, Place::code(ip, ptr::from_ref(&ip).addr())));
}

/// # Safety
///
/// As `v8__Isolate__Exit`'s.
pub(super) unsafe extern "C" fn exit(isolate: *mut RawIsolate, ip: usize) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise: it is live.
    let engine = unsafe { LiveV8::from_raw(isolate) };
    hooks::serve(|| handleguard::exit(engine, Place::code(ip, ptr::from_ref(&ip).addr())));
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
    // SAFETY: it is live until the last line.
    let engine = unsafe { LiveV8::from_raw(isolate) };
    hooks::serve(|| handleguard::end_isolate(engine));
    made(|made| made.remove(&isolate.addr()));
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_isolate_dispose(isolate) };
}
