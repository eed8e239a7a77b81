//! V8's callbacks around a garbage collection.

use crate::aftermath;
use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use std::ffi::c_void;
use std::ptr;

/// Has V8 report each collection in `isolate` to handleguard. V8 calls prologue and epilogue callbacks in the order in which
/// they were added (`heap.cc`, `CallGCPrologueCallbacks`), so a callback of the host that was added earlier runs before
/// handleguard knows.
pub(crate) fn add_callbacks(isolate: LiveV8<'_>) {
    let isolate = isolate.as_raw();
    let all = v8::GCType::kGCTypeAll;
    // SAFETY: the isolate is live (`LiveV8`); the callbacks are functions of this program, and ignore their data.
    unsafe {
        ffi::v8__Isolate__AddGCPrologueCallback(isolate, begins, ptr::null_mut(), all);
        ffi::v8__Isolate__AddGCEpilogueCallback(isolate, ends, ptr::null_mut(), all);
    }
}

unsafe extern "C" fn begins(
    isolate: v8::UnsafeRawIsolatePtr,
    kind: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    if kind == v8::GCType::kGCTypeMarkSweepCompact {
        aftermath::note_full_collection(live(isolate));
    }
    handleguard::collection_begins(live(isolate));
}

unsafe extern "C" fn ends(
    isolate: v8::UnsafeRawIsolatePtr,
    kind: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    let full = kind == v8::GCType::kGCTypeMarkSweepCompact;
    handleguard::collection_ends(live(isolate), full);
}

fn live<'a>(isolate: v8::UnsafeRawIsolatePtr) -> LiveV8<'a> {
    // SAFETY: a transparent wrapper of the address (the v8 crate's `isolate.rs`); V8 passes the isolate that it collects on this
    // thread, which is live during the callback.
    unsafe {
        LiveV8::from_raw(std::mem::transmute::<
            v8::UnsafeRawIsolatePtr,
            *mut RawIsolate,
        >(isolate))
    }
}
