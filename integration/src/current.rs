//! Which isolate is the current one of this thread: asked at each scope and callback.

use crate::ffi::{self, RawIsolate};

/// The isolate entered last on this thread, or null.
#[inline]
pub(crate) fn isolate() -> *mut RawIsolate {
    let seen = word::read();
    if seen.is_null() { asked() } else { seen }
}

/// Whether that is `isolate`.
#[inline(always)]
pub(crate) fn is(isolate: *mut RawIsolate) -> bool {
    word::read() == isolate || asked() == isolate
}

#[cold]
fn asked() -> *mut RawIsolate {
    // SAFETY: reads a thread-local of V8.
    unsafe { ffi::current_isolate() }
}

/// V8's own thread-local, `v8::internal::g_current_isolate_` (`isolate.cc`), which `Isolate::GetCurrent()` gives back by a call of
/// two functions.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod word {
    use super::RawIsolate;
    use handleguard::tls_word;
    use std::ptr;

    // No V8 promises the name. A weak definition gives way to V8's own; where there is none to be linked, this one is read, which
    // is null for ever, and `isolate` asks.
    handleguard::__tls_word!(".weak", "_ZN2v88internal18g_current_isolate_E");

    /// Null if there is none, or it is not known.
    #[inline(always)]
    pub(super) fn read() -> *mut RawIsolate {
        // SAFETY: its own offset.
        ptr::without_provenance_mut(unsafe { tls_word::read(offset()) })
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod word {
    use super::RawIsolate;

    #[inline(always)]
    pub(super) fn read() -> *mut RawIsolate {
        std::ptr::null_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On Linux of x86-64 V8's word was linked; asked or read, it is the same.
    #[test]
    fn the_word_is_v8s_through_enter_and_exit_on_each_thread() {
        fn agree() -> *mut RawIsolate {
            let asked = asked();
            assert_eq!(isolate(), asked);
            assert!(is(asked));
            if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
                assert_eq!(word::read(), asked);
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
