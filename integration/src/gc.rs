//! Garbage collection: V8's word that it is under way, and the guard for what it starts.

use crate::engine::{LiveV8, V8};
use crate::ffi::RawIsolate;
use crate::watch;
use handleguard::finding::GcPhase;
use handleguard::{GcGuard, Place};
use std::ffi::c_void;
use std::ptr;

/// Marks native code that V8's garbage collector started, as long as the guard lives: put it round what a weak callback, a
/// finalizer, a GC callback or the teardown of an isolate runs. See [`handleguard::gc()`].
///
/// Between V8's GC prologue and epilogue callbacks handleguard knows by itself; a finalizer of the v8 crate
/// (`Weak::with_finalizer`) runs after that, in V8's second pass.
///
/// ```
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// use handleguard_v8::{GcPhase, gc_guard, scope};
///
/// # scope!(let scope, isolate);
/// # let context = v8::Context::new(scope, Default::default());
/// # let scope = &mut v8::ContextScope::new(scope, context);
/// # let object = v8::Object::new(scope);
/// let weak = v8::Weak::with_finalizer(
///     scope,
///     object,
///     Box::new(|isolate| {
///         let _gc = gc_guard(isolate, GcPhase::SecondPass, "socket finalizer");
///         scope!(let scope, isolate); // without it, its handles would go to whatever was interrupted
///         let _ = v8::Number::new(scope, 0.5);
///     }),
/// );
/// ```
#[inline]
#[track_caller]
pub fn gc_guard(
    isolate: &mut v8::Isolate,
    phase: GcPhase,
    name: impl Into<Option<&'static str>>,
) -> GcGuard<V8> {
    handleguard::gc(watch::watch(isolate), phase, Place::here(name))
}

/// Has V8 tell handleguard of each collection in `isolate`. V8 calls prologue and epilogue callbacks in the order in which they
/// were added (`heap.cc`, `CallGCPrologueCallbacks`), so one that was added earlier runs before handleguard knows.
pub(crate) fn listen(isolate: &mut v8::Isolate) {
    isolate.add_gc_prologue_callback(begins, ptr::null_mut(), v8::GCType::kGCTypeAll);
    isolate.add_gc_epilogue_callback(ends, ptr::null_mut(), v8::GCType::kGCTypeAll);
}

/// As [`listen`], of an isolate that the v8 crate has not seen yet.
///
/// # Safety
///
/// `isolate` is live, and this thread's.
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
pub(crate) unsafe fn add_gc_callbacks_raw(isolate: *mut RawIsolate) {
    // SAFETY: the caller's promise; the callbacks live for ever.
    unsafe {
        let all = v8::GCType::kGCTypeAll;
        crate::ffi::v8__Isolate__AddGCPrologueCallback(isolate, begins, ptr::null_mut(), all);
        crate::ffi::v8__Isolate__AddGCEpilogueCallback(isolate, ends, ptr::null_mut(), all);
    }
}

unsafe extern "C" fn begins(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    handleguard::collection_begins(engine(isolate));
}

unsafe extern "C" fn ends(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    handleguard::collection_ends(engine(isolate));
}

fn engine<'a>(isolate: v8::UnsafeRawIsolatePtr) -> LiveV8<'a> {
    // SAFETY: a transparent wrapper of the address (`isolate.rs`); V8 hands the isolate that it collects, which is live.
    unsafe {
        LiveV8::from_raw(std::mem::transmute::<
            v8::UnsafeRawIsolatePtr,
            *mut RawIsolate,
        >(isolate))
    }
}
