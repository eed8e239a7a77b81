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

/// Keeps the shared object with this code loaded, until it is dropped. Nothing if that is the program, which is never unloaded.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) struct KeptLoaded(Option<usize>);

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "std does not load shared objects")]
impl KeptLoaded {
    pub(crate) fn new() -> Self {
        use crate::unwind::linux_x86_64::loaded_object::LoadedObject;
        use std::ffi::CString;
        use std::os::unix::ffi::OsStringExt;

        // This code is running, so it stays loaded for now.
        let own = LoadedObject::at((Self::new as *const ()).addr());
        let path = own
            .filter(|own| !own.is_program())
            .and_then(|own| own.path());
        let Some(path) = path.and_then(|path| CString::new(path.into_os_string().into_vec()).ok())
        else {
            return Self(None);
        };
        // SAFETY: with `RTLD_NOLOAD`, `dlopen` runs no code: it counts one more user of a module that is loaded.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        Self((!handle.is_null()).then(|| handle.expose_provenance()))
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "std does not load shared objects")]
impl Drop for KeptLoaded {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            // SAFETY: a handle from `dlopen`, closed once.
            unsafe { libc::dlclose(std::ptr::with_exposed_provenance_mut(handle)) };
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) struct KeptLoaded;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
impl KeptLoaded {
    pub(crate) fn new() -> Self {
        Self
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Does nothing: what waits to be logged when the process exits is lost.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn at_exit(_: extern "C" fn()) {}
