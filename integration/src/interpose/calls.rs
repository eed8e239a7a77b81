//! Hooks of the functions that enter JavaScript: calls, scripts, modules, microtasks.
//!
//! # Safety
//!
//! Each hook requires what the function in whose place it is called requires of its arguments, and that the linker wrapped that
//! function.

use super::real;
use crate::current;
use crate::ffi::{Handle, RawIsolate};
use crate::isolate::{LiveV8, V8};
use handleguard::hooks;
use std::ffi::{c_int, c_void};
use std::iter;

/// # Safety
///
/// As `v8__Function__Call`'s.
pub(super) unsafe fn function_call(
    function: Handle,
    context: Handle,
    recv: Handle,
    argc: c_int,
    argv: *const Handle,
    ip: usize,
) -> Handle {
    let call = || {
        // SAFETY: V8's function requires the same.
        unsafe { real::function_call(function, context, recv, argc, argv) }
    };
    // SAFETY: as V8's function requires.
    let arguments = unsafe { arguments(argc, argv) };
    let handles = [function, recv].into_iter().chain(arguments);
    // SAFETY: `function` is a function of the isolate that is entered, as V8's function requires.
    call_as_callback(ip, handles, |live| unsafe { name(live, function) }, call)
}

/// # Safety
///
/// As `v8__Function__NewInstance`'s.
pub(super) unsafe fn function_new_instance(
    function: Handle,
    context: Handle,
    argc: c_int,
    argv: *const Handle,
    ip: usize,
) -> Handle {
    let call = || {
        // SAFETY: V8's function requires the same.
        unsafe { real::function_new_instance(function, context, argc, argv) }
    };
    // SAFETY: as V8's function requires.
    let arguments = unsafe { arguments(argc, argv) };
    let handles = iter::once(function).chain(arguments);
    // SAFETY: `function` is a function of the isolate that is entered, as V8's function requires.
    call_as_callback(ip, handles, |live| unsafe { name(live, function) }, call)
}

/// # Safety
///
/// As `v8__Script__Run`'s.
pub(super) unsafe fn script_run(script: Handle, context: Handle, ip: usize) -> Handle {
    // SAFETY: V8's function requires the same.
    let call = || unsafe { real::script_run(script, context) };
    call_as_callback(ip, iter::once(script), unnamed, call)
}

/// # Safety
///
/// As `v8__Module__Evaluate`'s.
pub(super) unsafe fn module_evaluate(module: Handle, context: Handle, ip: usize) -> Handle {
    // SAFETY: V8's function requires the same.
    let call = || unsafe { real::module_evaluate(module, context) };
    call_as_callback(ip, iter::once(module), unnamed, call)
}

/// # Safety
///
/// As `v8__Module__EvaluateForImportDefer`'s.
pub(super) unsafe fn module_evaluate_for_import_defer(
    module: Handle,
    context: Handle,
    ip: usize,
) -> Handle {
    // SAFETY: V8's function requires the same.
    let call = || unsafe { real::module_evaluate_for_import_defer(module, context) };
    call_as_callback(ip, iter::once(module), unnamed, call)
}

/// # Safety
///
/// As `v8__Isolate__PerformMicrotaskCheckpoint`'s.
pub(super) unsafe fn isolate_checkpoint(isolate: *mut RawIsolate, ip: usize) {
    // SAFETY: V8's function requires the same.
    as_checkpoint(ip, || unsafe { real::isolate_checkpoint(isolate) });
}

/// # Safety
///
/// As `v8__MicrotaskQueue__PerformCheckpoint`'s.
pub(super) unsafe fn queue_checkpoint(isolate: *mut RawIsolate, queue: *const c_void, ip: usize) {
    // SAFETY: V8's function requires the same.
    as_checkpoint(ip, || unsafe { real::queue_checkpoint(isolate, queue) });
}

/// V8 does its own work here, in scopes of its own: this is no callback to be judged, but a moment at which the host waits.
///
/// # Safety
///
/// As `v8__Platform__PumpMessageLoop`'s: `isolate` is live and this thread uses it.
pub(super) unsafe fn pump_message_loop(
    platform: *mut c_void,
    isolate: *mut RawIsolate,
    wait: bool,
    ip: usize,
) -> bool {
    // SAFETY: `isolate` is live and this thread uses it, as this function requires.
    hooks::host_pumps(unsafe { LiveV8::from_raw(isolate) }, ip);
    // SAFETY: V8's function requires the same.
    unsafe { real::pump_message_loop(platform, isolate, wait) }
}

/// As [`pump_message_loop`].
///
/// # Safety
///
/// As `v8__Platform__RunIdleTasks`'s: `isolate` is live and this thread uses it.
pub(super) unsafe fn run_idle_tasks(
    platform: *mut c_void,
    isolate: *mut RawIsolate,
    seconds: f64,
    ip: usize,
) {
    // SAFETY: `isolate` is live and this thread uses it, as this function requires.
    hooks::host_pumps(unsafe { LiveV8::from_raw(isolate) }, ip);
    // SAFETY: V8's function requires the same.
    unsafe { real::run_idle_tasks(platform, isolate, seconds) };
}

/// A host with a platform of its own runs V8's tasks itself, one by one: [`pump_message_loop`] is then its own loop.
///
/// # Safety
///
/// As `v8__Task__Run`'s.
pub(super) unsafe fn task_run(task: *mut c_void, ip: usize) {
    host_runs_task(ip);
    // SAFETY: V8's function requires the same.
    unsafe { real::task_run(task) };
}

/// # Safety
///
/// As `v8__IdleTask__Run`'s.
pub(super) unsafe fn idle_task_run(task: *mut c_void, deadline: f64, ip: usize) {
    host_runs_task(ip);
    // SAFETY: V8's function requires the same.
    unsafe { real::idle_task_run(task, deadline) };
}

/// A task for a background thread runs where no isolate is entered.
fn host_runs_task(ip: usize) {
    if let Some(live) = current::live() {
        hooks::host_pumps(live, ip);
    }
}

/// Runs `call` as a checkpoint for microtasks. V8 opens a scope for them itself (`microtask-queue.cc`,
/// `MicrotaskQueue::RunMicrotasks`).
fn as_checkpoint(ip: usize, call: impl FnOnce()) {
    let callback = current::live().and_then(|live| hooks::checkpoint(live, ip));
    call();
    hooks::callback_ends(callback);
}

/// Runs `call` as a callback of the isolate that is entered, which is the only one whose JavaScript can be called.
fn as_callback<R>(
    ip: usize,
    handles: impl Iterator<Item = Handle>,
    callee: impl FnOnce(LiveV8<'_>) -> Option<String>,
    call: impl FnOnce() -> R,
) -> R {
    let handles = handles.map(Handle::addr);
    let callback = current::live()
        .and_then(|live| hooks::callback(live, ip, handles, V8::named, || callee(live)));
    let result = call();
    hooks::callback_ends(callback);
    result
}

/// Runs `call` as [`as_callback`] does, where V8 is about to use the entered isolate: it crashes if there is none, and the
/// report comes before.
fn call_as_callback<R>(
    ip: usize,
    handles: impl Iterator<Item = Handle>,
    callee: impl FnOnce(LiveV8<'_>) -> Option<String>,
    call: impl FnOnce() -> R,
) -> R {
    if current::isolate().is_null() {
        hooks::callback_on_no_isolate(ip, V8::named);
    }
    as_callback(ip, handles, callee, call)
}

/// The arguments of a call.
///
/// # Safety
///
/// `argv` points at `argc` handles, which stay there as long as the iterator.
unsafe fn arguments<'a>(argc: c_int, argv: *const Handle) -> impl Iterator<Item = Handle> + 'a {
    let arguments: &[Handle] = match usize::try_from(argc) {
        // SAFETY: as this function requires.
        Ok(argc @ 1..) => unsafe { std::slice::from_raw_parts(argv, argc) },
        _ => &[],
    };
    arguments.iter().copied()
}

/// The name of the function at `function`, for a report.
///
/// # Safety
///
/// `function` is a function of the isolate `live`.
unsafe fn name(live: LiveV8<'_>, function: Handle) -> Option<String> {
    // SAFETY: the v8 crate's `Function` is what its bindings take by pointer (`function.rs`, `v8__Function__Call`), and it lives
    // for this call, as this function requires.
    Some(live.callee(unsafe { &*function.cast::<v8::Function>() }))
}

/// Scripts and modules have no name.
fn unnamed(_: LiveV8<'_>) -> Option<String> {
    None
}
