//! What the process asks of the C library, where std has no function for it.

/// Runs `f` with all signals blocked on this thread. A thread that `f` starts inherits that, from its first instruction on: a
/// signal that the host waits for or handles then goes to a thread of the host.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "std knows no signals")]
pub(crate) fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: `sigfillset` initialises `all`. `pthread_sigmask` reads it and initialises `before`; it fails only for a wrong
    // `how`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = f();
    // SAFETY: `before` was initialised above. A null pointer asks for no old mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    result
}

/// Has `f` called when the process exits, or when the shared object with this code is unloaded.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "std has no exit handlers")]
pub(crate) fn at_exit(f: extern "C" fn()) {
    // SAFETY: the C library keeps the pointer, and calls it before it unmaps this code. If it has no room, `f` is not called.
    unsafe { libc::atexit(f) };
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Does nothing: what waits to be logged when the process exits is lost.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn at_exit(_: extern "C" fn()) {}
