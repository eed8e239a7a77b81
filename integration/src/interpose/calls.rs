//! Hooks of what enters JavaScript: calls, scripts, modules, microtasks.

use super::{link, proof};
use crate::current;
use crate::engine::{LiveV8, V8};
use crate::ffi::RawIsolate;
use handleguard::{IsolateId, hooks};
use std::ffi::{c_int, c_void};
use std::ptr;

/// Runs `call` as a callback of the isolate that is entered; only from there can JavaScript be called.
fn as_callback<R>(
    ip: usize,
    handle: *const c_void,
    callee: impl FnOnce(LiveV8<'_>) -> Option<String>,
    call: impl FnOnce() -> R,
) -> R {
    let isolate = current::isolate();
    // SAFETY: an isolate that is entered is live, and this thread's.
    let engine = (!isolate.is_null()).then(|| unsafe { LiveV8::from_raw(isolate) });
    let callback =
        engine.and_then(|engine| hooks::callback(engine, ip, handle.addr(), of, || callee(engine)));
    let result = call();
    hooks::callback_ends(callback);
    result
}

/// The isolate of that name.
fn of(isolate: IsolateId) -> V8 {
    V8::named(isolate)
}

/// The same of a call that V8 makes in the isolate that is entered, whatever it is given: where none is, V8 crashes.
fn as_call<R>(
    ip: usize,
    handle: *const c_void,
    callee: impl FnOnce(LiveV8<'_>) -> Option<String>,
    call: impl FnOnce() -> R,
) -> R {
    if current::isolate().is_null() {
        hooks::callback_on_no_isolate(ip, of);
    }
    as_callback(ip, handle, callee, call)
}

/// The name of the function at `function`.
///
/// # Safety
///
/// `function` is a handle of the live isolate `engine`, of this thread.
unsafe fn name(engine: LiveV8<'_>, function: *const c_void) -> Option<String> {
    // SAFETY: the v8 crate's `Function` is what its bindings take by pointer (`function.rs`, `v8__Function__Call`).
    Some(engine.callee(unsafe { &*function.cast::<v8::Function>() }))
}

/// # Safety
///
/// As `v8__Function__Call`'s.
pub(super) unsafe extern "C" fn function_call(
    function: *const c_void,
    context: *const c_void,
    recv: *const c_void,
    argc: c_int,
    argv: *const *const c_void,
    ip: usize,
) -> *const c_void {
    if proof::is_probing() {
        return ptr::null();
    }
    as_call(
        ip,
        function,
        // SAFETY: the caller's promise.
        |engine| unsafe { name(engine, function) },
        // SAFETY: the caller's promise, and this is its hook.
        || unsafe { link::real_function_call(function, context, recv, argc, argv) },
    )
}

/// # Safety
///
/// As `v8__Function__NewInstance`'s.
pub(super) unsafe extern "C" fn function_new_instance(
    function: *const c_void,
    context: *const c_void,
    argc: c_int,
    argv: *const *const c_void,
    ip: usize,
) -> *const c_void {
    if proof::is_probing() {
        return ptr::null();
    }
    as_call(
        ip,
        function,
        // SAFETY: the caller's promise.
        |engine| unsafe { name(engine, function) },
        // SAFETY: the caller's promise, and this is its hook.
        || unsafe { link::real_function_new_instance(function, context, argc, argv) },
    )
}

/// # Safety
///
/// As `v8__Script__Run`'s.
pub(super) unsafe extern "C" fn script_run(
    script: *const c_void,
    context: *const c_void,
    ip: usize,
) -> *const c_void {
    if proof::is_probing() {
        return ptr::null();
    }
    // SAFETY: the caller's promise, and this is its hook.
    as_call(
        ip,
        script,
        |_| None,
        || unsafe { link::real_script_run(script, context) },
    )
}

/// # Safety
///
/// As `v8__Module__Evaluate`'s.
pub(super) unsafe extern "C" fn module_evaluate(
    module: *const c_void,
    context: *const c_void,
    ip: usize,
) -> *const c_void {
    if proof::is_probing() {
        return ptr::null();
    }
    // SAFETY: the caller's promise, and this is its hook.
    as_call(
        ip,
        module,
        |_| None,
        || unsafe { link::real_module_evaluate(module, context) },
    )
}

/// # Safety
///
/// As `v8__Isolate__PerformMicrotaskCheckpoint`'s.
pub(super) unsafe extern "C" fn isolate_checkpoint(isolate: *mut RawIsolate, ip: usize) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    as_callback(
        ip,
        ptr::null(),
        |_| None,
        || unsafe { link::real_isolate_checkpoint(isolate) },
    );
}

/// # Safety
///
/// As `v8__MicrotaskQueue__PerformCheckpoint`'s.
pub(super) unsafe extern "C" fn queue_checkpoint(
    isolate: *mut RawIsolate,
    queue: *const c_void,
    ip: usize,
) {
    if proof::is_probing() {
        return;
    }
    // SAFETY: the caller's promise, and this is its hook.
    as_callback(
        ip,
        ptr::null(),
        |_| None,
        || unsafe { link::real_queue_checkpoint(isolate, queue) },
    );
}

/// V8 does its own work here, in scopes of its own: no callback to be judged, but a moment at which the host waits.
///
/// # Safety
///
/// As `v8__Platform__PumpMessageLoop`'s.
pub(super) unsafe extern "C" fn pump(
    platform: *mut c_void,
    isolate: *mut RawIsolate,
    wait: bool,
    ip: usize,
) -> bool {
    if proof::is_probing() {
        return false;
    }
    // SAFETY: the caller's promise: it is live.
    hooks::host_waits(unsafe { LiveV8::from_raw(isolate) }, ip);
    // SAFETY: the caller's promise, and this is its hook.
    unsafe { link::real_pump(platform, isolate, wait) }
}
