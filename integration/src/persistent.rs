//! V8's own count of persistent handles (the v8 crate's `Global` and `Weak`).
//!
//! `HeapStatistics::used_global_handles_size` is a number of bytes, the same for each handle (`global-handles.cc`,
//! `GlobalHandles::UsedSize`: the number of nodes that are in use, times the size of one). What one takes is measured once, by a
//! handle that is made and reset at once.

use crate::current;
use crate::ffi;
use crate::isolate::LiveV8;
use once_cell::race::OnceBox;

/// The size of one handle. `None` if this V8's count does not change by a handle.
static SIZE: OnceBox<Option<u64>> = OnceBox::new();

/// The number of persistent handles alive in the isolate.
pub(crate) fn count(live: LiveV8<'_>) -> Option<u64> {
    in_isolate(live, || {
        let size = *SIZE.get_or_init(|| Box::new(measure(live)));
        Some(used(live) / size?)
    })
}

/// Runs `f` with the isolate entered: at its end it no longer is, and V8 reads some statistics by way of the current isolate.
fn in_isolate<R>(live: LiveV8<'_>, f: impl FnOnce() -> R) -> R {
    if current::is(live.as_raw()) {
        return f();
    }
    // SAFETY: the isolate is live and this thread may use it (`LiveV8`); each enter has its exit below, and `f` does not unwind.
    unsafe { ffi::enter(live.as_raw()) };
    let result = f();
    // SAFETY: entered above.
    unsafe { ffi::exit(live.as_raw()) };
    result
}

fn measure(live: LiveV8<'_>) -> Option<u64> {
    let before = used(live);
    // SAFETY: the isolate is live, this thread may use it (`LiveV8`), and it is entered (`in_isolate`). The root slot of
    // `undefined` is a handle of it. A persistent handle needs no scope, and is reset once.
    let during = unsafe {
        let handle = ffi::v8__Global__New(live.as_raw(), ffi::v8__Undefined(live.as_raw()));
        let during = used(live);
        ffi::v8__Global__Reset(handle);
        during
    };
    during.checked_sub(before).filter(|&size| size > 0)
}

/// V8's `used_global_handles_size`, in bytes.
fn used(live: LiveV8<'_>) -> u64 {
    // SAFETY: the isolate is live and this thread may use it (`LiveV8`), and the value owns nothing.
    let mut isolate = unsafe { v8::Isolate::from_raw_ptr(live.as_raw().cast()) };
    isolate.get_heap_statistics().used_global_handles_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_global_and_each_weak_counts_as_one_until_it_is_reset() {
        crate::__doctest::setup();
        let isolate = &mut v8::Isolate::new(Default::default());
        let before = count(LiveV8::of(isolate)).unwrap();
        let mut kept = Vec::new();
        let weak;
        {
            v8::scope!(let scope, isolate);
            let number = v8::Number::new(scope, 0.5);
            for _ in 0..1000 {
                kept.push(v8::Global::new(scope, number));
            }
            weak = v8::Weak::new(scope, number);
        }
        assert_eq!(count(LiveV8::of(isolate)), Some(before + 1001));
        kept.truncate(10);
        assert_eq!(count(LiveV8::of(isolate)), Some(before + 11));
        drop((kept, weak));
        assert_eq!(count(LiveV8::of(isolate)), Some(before));
    }

    /// At the end of an isolate, the v8 crate has left it already.
    #[test]
    fn an_isolate_that_no_thread_has_entered_is_counted_too() {
        crate::__doctest::setup();
        let isolate = v8::Isolate::new(Default::default());
        let before = count(LiveV8::of(&isolate));
        // SAFETY: entered by `Isolate::new`; entered again below.
        unsafe { isolate.exit() };
        assert_eq!(count(LiveV8::of(&isolate)), before);
        assert!(current::isolate().is_null());
        // SAFETY: no thread has entered it.
        unsafe { isolate.enter() };
    }
}
