//! What V8 still does for a collection after its epilogue callbacks: finalizers in the second pass of weak callbacks, and the
//! destructors of objects on the heap of `cppgc` (Oilpan), which it sweeps lazily.

use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use handleguard::Aftermath;
use std::cell::Cell;

thread_local! {
    /// The isolate whose last full collection found nothing on the heap of `cppgc`. V8 sweeps an empty heap too, and has not done so
    /// until its next task or collection.
    static EMPTY: Cell<usize> = const { Cell::new(0) };
}

/// Notes whether the heap of `cppgc` holds anything, before a full collection of `isolate`.
pub(crate) fn note_full_collection(isolate: LiveV8<'_>) {
    let is_empty = cpp_heap(isolate).is_none_or(|heap| heap.is_empty());
    EMPTY.set(if is_empty { isolate.as_raw().addr() } else { 0 });
}

/// What V8 still does.
pub(crate) fn of(isolate: LiveV8<'_>) -> Aftermath {
    let heap = cpp_heap(isolate).filter(|_| EMPTY.get() != isolate.as_raw().addr());
    match heap {
        Some(heap) if heap.is_sweeping_here() => Aftermath::Destructor,
        _ if forbids_javascript(isolate) => Aftermath::Finalizer,
        Some(heap) if heap.is_sweeping() => Aftermath::Sweeping,
        _ => Aftermath::Over,
    }
}

/// Whether V8 would end the process where JavaScript is entered (`execution.cc`, `Invoke`). A scope that forbids it keeps what was so
/// before, as its last member (`v8-isolate.h`, `DisallowJavascriptExecutionScope`).
fn forbids_javascript(isolate: LiveV8<'_>) -> bool {
    const CRASH_ON_FAILURE: i32 = 0;
    let mut scope = ffi::DisallowJavascript::default();
    // SAFETY: the isolate is live and this thread's (`LiveV8`); the scope has its size (asserted by `binding.cc`), and is destroyed
    // while it is the innermost of its kind, which puts back what was so before.
    unsafe {
        ffi::disallow_javascript(&raw mut scope, isolate.as_raw(), CRASH_ON_FAILURE);
        ffi::end_disallow_javascript(&raw mut scope);
    }
    !scope.was_allowed()
}

/// The heap of `cppgc` of an isolate.
#[derive(Clone, Copy)]
struct CppHeap {
    heap: *mut RawCppHeap,
}

type RawCppHeap = std::ffi::c_void;

/// The heap of `isolate`, if one is attached and this V8 can be asked about it.
fn cpp_heap(isolate: LiveV8<'_>) -> Option<CppHeap> {
    let isolate: *mut RawIsolate = isolate.as_raw();
    // SAFETY: the isolate is live (`LiveV8`).
    let heap = unsafe { ffi::v8__Isolate__GetCppHeap(isolate) };
    (cfg!(not(windows)) && !heap.is_null()).then_some(CppHeap { heap })
}

#[cfg(not(windows))]
impl CppHeap {
    fn is_empty(self) -> bool {
        const BRIEF: u8 = 0;
        let mut statistics = ffi::CppHeapStatistics::default();
        // SAFETY: the heap is attached to a live isolate of this thread (`cpp_heap`). The brief statistics are numbers only, and the
        // buffer has room for them (`ffi::CppHeapStatistics`).
        unsafe { ffi::cpp_heap_statistics(&raw mut statistics, self.heap, BRIEF) };
        statistics.used() == 0
    }

    /// Whether V8 sweeps it on this thread now, so that a destructor runs.
    fn is_sweeping_here(self) -> bool {
        // SAFETY: the heap is attached to a live isolate of this thread (`cpp_heap`); both functions only read.
        unsafe { ffi::is_sweeping_on_owning_thread(ffi::cpp_heap_handle(self.heap)) }
    }

    /// Whether V8 has not done sweeping it.
    fn is_sweeping(self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::is_sweeping(ffi::cpp_heap_handle(self.heap)) }
    }
}

/// The names of the functions are not known there.
#[cfg(windows)]
impl CppHeap {
    fn is_empty(self) -> bool {
        true
    }

    fn is_sweeping_here(self) -> bool {
        false
    }

    fn is_sweeping(self) -> bool {
        false
    }
}
