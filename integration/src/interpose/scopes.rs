//! Hooks of scopes: the v8 crate's `HandleScope`, `EscapableHandleScope` and the scope in some `CallbackScope`s are all
//! constructed by one function, so a plain escapable scope is told as a `HandleScope`.

use super::{link, proof};
use crate::engine::LiveV8;
use crate::ffi::RawIsolate;
use handleguard::finding::ScopeKind;
use handleguard::hooks;
use std::ffi::c_void;

/// # Safety
///
/// As `v8__HandleScope__CONSTRUCT`'s: `isolate` is live, and `storage` has room for a `HandleScope`.
pub(super) unsafe extern "C" fn handle_scope_opens(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    ip: usize,
) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::handle_scope_construct(storage, isolate) };
    // SAFETY: the caller's promise.
    let engine = unsafe { LiveV8::from_raw(isolate) };
    hooks::scope_constructed(engine, ScopeKind::HandleScope, ip, storage.addr());
}

/// # Safety
///
/// As `v8__HandleScope__DESTRUCT`'s: `storage` holds a `HandleScope`.
pub(super) unsafe extern "C" fn closes_handle_scope(storage: *mut c_void) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise.
    let engine = unsafe { isolate_of(storage) };
    hooks::scope_destructs(engine, ScopeKind::HandleScope, storage.addr());
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::handle_scope_destruct(storage) };
}

/// # Safety
///
/// As `v8__TryCatch__CONSTRUCT`'s: `isolate` is live, and `storage` has room for a `TryCatch`.
pub(super) unsafe extern "C" fn try_catch_opens(
    storage: *mut c_void,
    isolate: *mut RawIsolate,
    ip: usize,
) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::try_catch_construct(storage, isolate) };
    // SAFETY: the caller's promise.
    let engine = unsafe { LiveV8::from_raw(isolate) };
    hooks::scope_constructed(engine, ScopeKind::TryCatch, ip, storage.addr());
}

/// # Safety
///
/// As `v8__TryCatch__DESTRUCT`'s: `storage` holds a `TryCatch`.
pub(super) unsafe extern "C" fn closes_try_catch(storage: *mut c_void) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise.
    let engine = unsafe { isolate_of(storage) };
    hooks::scope_destructs(engine, ScopeKind::TryCatch, storage.addr());
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::try_catch_destruct(storage) };
}

/// The isolate of a scope. Both kinds begin with it: `i_isolate_` (`v8-local-handle.h`, `v8-exception.h`).
///
/// # Safety
///
/// `storage` holds a scope of a live isolate.
unsafe fn isolate_of<'a>(storage: *mut c_void) -> LiveV8<'a> {
    // SAFETY: the caller's promise.
    unsafe { LiveV8::from_raw(storage.cast::<*mut RawIsolate>().read()) }
}
