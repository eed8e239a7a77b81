//! Hooks of scopes. One function constructs the v8 crate's `HandleScope`, `EscapableHandleScope`, and the scope in some
//! `CallbackScope`s, so a plain escapable scope is recorded as a `HandleScope`.
//!
//! # Safety
//!
//! Each hook requires what the function in whose place it is called requires of its arguments, and that the linker wrapped that
//! function.

use super::real;
use crate::ffi::RawIsolate;
use crate::isolate::LiveV8;
use handleguard::finding::ScopeKind;
use handleguard::{TryCatches, hooks};
use std::ffi::c_void;

/// # Safety
///
/// `isolate` is live and this thread uses it; `storage` has room for a `HandleScope`.
#[inline(always)]
pub(super) unsafe fn construct_handle_scope(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    ip: usize,
) {
    // SAFETY: V8's function requires the same.
    unsafe { real::handle_scope_construct(storage, isolate) };
    // SAFETY: `isolate` is live and this thread uses it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    hooks::scope_constructed(live, ScopeKind::HandleScope, ip, storage.addr());
}

/// # Safety
///
/// `storage` holds a `HandleScope` of a live isolate that this thread uses.
#[inline(always)]
pub(super) unsafe fn destruct_handle_scope(storage: *mut c_void, ip: usize) {
    // SAFETY: `storage` holds a scope, as this function requires.
    let live = unsafe { isolate_of(storage) };
    hooks::scope_destructs(live, ScopeKind::HandleScope, ip, storage.addr());
    // SAFETY: V8's function requires the same.
    unsafe { real::handle_scope_destruct(storage) };
}

/// # Safety
///
/// `isolate` is live and this thread uses it; `storage` has room for a `TryCatch`.
#[inline(always)]
pub(super) unsafe fn construct_try_catch(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    ip: usize,
) {
    // SAFETY: V8's function requires the same.
    unsafe { real::try_catch_construct(storage, isolate) };
    // SAFETY: `isolate` is live and this thread uses it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    hooks::scope_constructed(live, ScopeKind::TryCatch, ip, storage.addr());
}

/// # Safety
///
/// `storage` holds a `TryCatch` of a live isolate that this thread uses.
#[inline(always)]
pub(super) unsafe fn destruct_try_catch(storage: *mut c_void, ip: usize) {
    // SAFETY: `storage` holds a scope, as this function requires.
    let live = unsafe { isolate_of(storage) };
    hooks::scope_destructs(live, ScopeKind::TryCatch, ip, storage.addr());
    // SAFETY: V8's function requires the same.
    unsafe { real::try_catch_destruct(storage) };
}

/// The isolate of a scope. Both kinds begin with it: `i_isolate_` (`v8-local-handle.h`, `v8-exception.h`).
///
/// # Safety
///
/// `storage` holds a scope of an isolate that is live and may be used on this thread during `'a`.
unsafe fn isolate_of<'a>(storage: *mut c_void) -> LiveV8<'a> {
    // SAFETY: `storage` holds a scope, whose first word is its isolate, and that is live, as this function requires.
    unsafe { LiveV8::from_raw(storage.cast::<*mut RawIsolate>().read()) }
}

/// Where the `TryCatch` in `storage` stands among those that are open in `isolate`.
///
/// # Safety
///
/// `storage` is that of a `TryCatch` that is about to be destroyed.
pub(crate) unsafe fn try_catches(
    isolate: LiveV8<'_>,
    storage: *const TryCatchBuffer,
) -> TryCatches {
    let mut probe: TryCatchBuffer = [0; 6];
    // SAFETY: the isolate is live and this thread's (`LiveV8`), and `probe` has room for a `TryCatch`, which is destroyed while it is
    // the innermost one. It has caught nothing, so V8 only links it in and out (`api.cc`, `TryCatch::TryCatch`, `~TryCatch`).
    unsafe {
        real::try_catch_construct((&raw mut probe).cast(), isolate.as_raw());
        real::try_catch_destruct((&raw mut probe).cast());
    }
    // SAFETY: V8 reads the memory when it destroys the `TryCatch`, as this function requires.
    let next = unsafe { (*storage)[NEXT] };
    TryCatches {
        innermost: probe[NEXT],
        next,
    }
}

/// Room for a C++ `v8::TryCatch` (`v8-exception.h`).
type TryCatchBuffer = [usize; 6];

/// The word of it that is `TryCatch* next_`: the innermost one when it was constructed.
const NEXT: usize = 1;
