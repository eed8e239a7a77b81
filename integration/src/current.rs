//! The current isolate of this thread. Each scope and each callback asks for it.

use crate::ffi::{self, RawIsolate};
use crate::isolate::LiveV8;
use std::ptr;

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
