//! Whether V8 collects garbage, by its own callbacks.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

thread_local! {
    static IN_PROGRESS: Cell<bool> = const { Cell::new(false) };
}

/// Lets [`in_progress`] know of the collections of `isolate`, which belongs to this thread.
pub fn watch(isolate: &mut v8::Isolate) {
    isolate.add_gc_prologue_callback(begins, null_mut(), v8::GCType::kGCTypeAll);
    isolate.add_gc_epilogue_callback(ends, null_mut(), v8::GCType::kGCTypeAll);
}

/// Whether V8 is between the prologue and the epilogue of a collection on this thread.
pub fn in_progress() -> bool {
    IN_PROGRESS.get()
}

unsafe extern "C" fn begins(
    _: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    IN_PROGRESS.set(true);
}

unsafe extern "C" fn ends(
    _: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    IN_PROGRESS.set(false);
}
