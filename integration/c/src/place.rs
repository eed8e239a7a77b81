use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A place in the host's source, by which reports name what begins there. Keep one in static storage for each, made by
/// `HANDLEGUARD_HERE` or `HANDLEGUARD_PLACE("name")`.
///
/// Up to 4096 distinct places are named; what is beyond shares one name.
#[repr(C)]
#[derive(Debug)]
pub struct Place {
    /// Its name in reports: the function's, or any other. May be null.
    pub name: *const c_char,
    /// The source file. May be null.
    pub file: *const c_char,
    /// The line, counted from 1; 0 where it is unknown.
    pub line: u32,
    /// handleguard's own; begins as null, and is not to be changed.
    pub interned: *mut c_void,
}

/// What `place` is, kept once.
///
/// # Safety
///
/// `place` is valid for reads and writes for the call, its strings end with 0, and nobody but this function writes it.
pub(crate) unsafe fn interned(place: *mut Place) -> &'static handleguard::Place {
    // SAFETY: the caller's promise; the field is aligned as a pointer is, and all access to it is here, and atomic.
    let kept = unsafe { AtomicPtr::from_ptr((&raw mut (*place).interned).cast()) };
    let known: *mut handleguard::Place = kept.load(Ordering::Acquire);
    // SAFETY: null, or what was stored below, which lives for ever: the header asks for null at first.
    if let Some(known) = unsafe { known.as_ref() } {
        return known;
    }
    // SAFETY: the caller's promise.
    let (name, file, line) = unsafe {
        (
            text((*place).name, "<unnamed>"),
            text((*place).file, "<unknown file>"),
            (*place).line,
        )
    };
    let place = handleguard::Place::interned(&name, &file, line);
    kept.store(ptr::from_ref(place).cast_mut(), Ordering::Release);
    place
}

/// # Safety
///
/// `text` is null, or ends with 0.
unsafe fn text(text: *const c_char, otherwise: &str) -> String {
    if text.is_null() {
        return otherwise.to_owned();
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}
