//! The current isolate of this thread. Each scope and each callback asks for it.

use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The isolate entered last on this thread, or null.
#[inline]
pub(crate) fn isolate() -> *mut RawIsolate {
    match word::read() {
        0 => ask(),
        // V8 wrote the pointer as a word, so its provenance is exposed.
        current => ptr::with_exposed_provenance_mut(current),
    }
}

/// The isolate that this thread has entered last.
#[inline(always)]
pub(crate) fn live<'a>() -> Option<LiveV8<'a>> {
    let isolate = isolate();
    // SAFETY: an isolate that is entered on this thread is live, and this thread uses it.
    (!isolate.is_null()).then(|| unsafe { LiveV8::from_raw(isolate) })
}

/// Whether V8 has set this thread's current isolate for work of its own, and this thread has not entered that isolate.
///
/// V8 does so on its worker threads, where it frees what a collection found dead (`isolate.h`, `SetCurrentIsolateScope`), and where it
/// disposes of an isolate (`isolate.cc`, `Isolate::Deinit`). Only `Isolate::Enter` sets the thread's data of the isolate too
/// (`isolate.cc`, `SetIsolateThreadLocals`), and every way to enter an isolate leads there: `Isolate::Scope`, and `Locker` with one.
///
/// `false` where V8 has no such word, or none was seen to be set yet.
pub(crate) fn is_set_by_v8() -> bool {
    static SET: AtomicBool = AtomicBool::new(false);
    if thread_data::read() != 0 {
        SET.store(true, Ordering::Relaxed);
        return false;
    }
    SET.load(Ordering::Relaxed)
}

/// Whether `isolate` was entered last on this thread.
#[inline(always)]
pub(crate) fn is(isolate: *mut RawIsolate) -> bool {
    word::read() == isolate.addr() || ask() == isolate
}

#[cold]
fn ask() -> *mut RawIsolate {
    // SAFETY: the function reads a thread-local of V8 and has no precondition.
    unsafe { ffi::current_isolate() }
}

/// V8's own thread-local, `v8::internal::g_current_isolate_` (`isolate.cc`), which `Isolate::GetCurrent()` gives back by a call of
/// two functions.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod word {
    use handleguard::tls_word;

    // No V8 promises the name. A weak definition gives way to V8's own. Where V8 has none, this one is linked, which stays null,
    // and `isolate` asks V8.
    handleguard::__tls_word!(".weak", "_ZN2v88internal18g_current_isolate_E");

    /// The address of the isolate; 0 if there is none, or V8 has no such word.
    #[inline(always)]
    pub(super) fn read() -> usize {
        // SAFETY: the offset is that of the word declared here, on this thread.
        unsafe { tls_word::read(offset()) }
    }
}

/// V8's own thread-local, `v8::internal::g_current_per_isolate_thread_data_` (`isolate.cc`).
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod thread_data {
    use handleguard::tls_word;

    // As in `word`.
    handleguard::__tls_word!(
        ".weak",
        "_ZN2v88internal34g_current_per_isolate_thread_data_E"
    );

    /// The address of the thread's data of the isolate that it entered last; 0 if there is none, or V8 has no such word.
    pub(super) fn read() -> usize {
        // SAFETY: the offset is that of the word declared here, on this thread.
        unsafe { tls_word::read(offset()) }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod thread_data {
    pub(super) fn read() -> usize {
        0
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod word {
    #[inline(always)]
    pub(super) fn read() -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On x86-64 Linux V8's own word was linked, and agrees with what V8 returns.
    #[test]
    fn the_word_is_v8s_through_enter_and_exit_on_each_thread() {
        fn agree() -> *mut RawIsolate {
            let asked = ask();
            assert_eq!(isolate(), asked);
            assert!(is(asked));
            if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
                assert_eq!(word::read(), asked.addr());
            }
            asked
        }
        crate::__doctest::setup();
        assert!(agree().is_null());
        let outer = v8::Isolate::new(Default::default());
        let first = agree();
        assert!(!first.is_null());
        let inner = v8::Isolate::new(Default::default());
        assert_ne!(agree(), first);
        std::thread::scope(|threads| {
            threads.spawn(|| assert!(agree().is_null()));
        });
        drop(inner);
        assert_eq!(agree(), first);
        drop(outer);
        assert!(agree().is_null());
    }
}
