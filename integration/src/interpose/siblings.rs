//! Hooks of what stands beside handle scopes: contexts that are entered and left, and scopes that allow or forbid JavaScript. The v8
//! crate binds neither `MicrotasksScope` nor `Locker`.
//!
//! # Safety
//!
//! Each hook requires what the function in whose place it is called requires of its arguments, and that the linker wrapped that
//! function.

use super::real;
use crate::current;
use crate::ffi::{Handle, RawIsolate};
use handleguard::finding::Sibling;
use handleguard::{IsolateId, hooks};
use std::ffi::{c_int, c_void};

const ALLOW: Sibling = Sibling::AllowJavascriptExecutionScope;
const DISALLOW: Sibling = Sibling::DisallowJavascriptExecutionScope;

/// # Safety
///
/// As `v8__Context__Enter`'s.
pub(super) unsafe fn context_enter(context: Handle, ip: usize) {
    // SAFETY: V8's function requires the same.
    unsafe { real::context_enter(context) };
    hooks::sibling_begins(current(), Sibling::Context, 0, ip);
}

/// # Safety
///
/// As `v8__Context__Exit`'s.
pub(super) unsafe fn context_exit(context: Handle, _ip: usize) {
    hooks::sibling_ends(current(), Sibling::Context, 0);
    // SAFETY: V8's function requires the same.
    unsafe { real::context_exit(context) };
}

/// # Safety
///
/// As `v8__DisallowJavascriptExecutionScope__CONSTRUCT`'s.
pub(super) unsafe fn construct_disallow_javascript(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    on_failure: c_int,
    ip: usize,
) {
    // SAFETY: V8's function requires the same.
    unsafe { real::disallow_javascript_construct(storage, isolate, on_failure) };
    hooks::sibling_begins(IsolateId(isolate.addr()), DISALLOW, storage.addr(), ip);
}

/// # Safety
///
/// As `v8__DisallowJavascriptExecutionScope__DESTRUCT`'s.
pub(super) unsafe fn destruct_disallow_javascript(storage: *mut c_void, _ip: usize) {
    // SAFETY: `storage` holds a scope, as this function requires.
    let isolate = unsafe { isolate_of(storage) };
    hooks::sibling_ends(isolate, DISALLOW, storage.addr());
    // SAFETY: V8's function requires the same.
    unsafe { real::disallow_javascript_destruct(storage) };
}

/// # Safety
///
/// As `v8__AllowJavascriptExecutionScope__CONSTRUCT`'s.
pub(super) unsafe fn construct_allow_javascript(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    ip: usize,
) {
    // SAFETY: V8's function requires the same.
    unsafe { real::allow_javascript_construct(storage, isolate) };
    hooks::sibling_begins(IsolateId(isolate.addr()), ALLOW, storage.addr(), ip);
}

/// # Safety
///
/// As `v8__AllowJavascriptExecutionScope__DESTRUCT`'s.
pub(super) unsafe fn destruct_allow_javascript(storage: *mut c_void, _ip: usize) {
    // SAFETY: `storage` holds a scope, as this function requires.
    let isolate = unsafe { isolate_of(storage) };
    hooks::sibling_ends(isolate, ALLOW, storage.addr());
    // SAFETY: V8's function requires the same.
    unsafe { real::allow_javascript_destruct(storage) };
}

/// The isolate that this thread has entered last: V8 enters and leaves contexts of that one only (`api.cc`, `Context::Enter`).
fn current() -> IsolateId {
    IsolateId(current::isolate().addr())
}

/// The isolate of a scope that allows or forbids JavaScript. Both kinds begin with it: `v8_isolate_` (`v8-isolate.h`).
///
/// # Safety
///
/// `storage` holds such a scope.
unsafe fn isolate_of(storage: *const c_void) -> IsolateId {
    // SAFETY: `storage` holds a scope, whose first word is its isolate, as this function requires.
    IsolateId(unsafe { storage.cast::<usize>().read() })
}
