use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// A place in the host's source, which reports use to name an entry that begins there. Keep one in static storage for each place,
/// made by `HANDLEGUARD_HERE` or `HANDLEGUARD_PLACE("name")`.
///
/// Up to 4096 distinct places are named; all further places share one name.
#[repr(C)]
#[derive(Debug)]
pub struct Place {
    /// Its name in reports: that of the function, or any other. May be null.
    pub name: *const c_char,
    /// The source file. May be null.
    pub file: *const c_char,
    /// The line, counted from 1; 0 where it is unknown.
    pub line: u32,
    /// Private to handleguard. Initialise it to null, and do not change it.
    pub interned: *mut c_void,
}

/// Returns the interned copy of `place`, which is made by the first call.
///
/// # Safety
///
/// `place` is valid for reads and writes during the call, its strings end with 0, and only this function writes it.
pub(crate) unsafe fn interned(place: *mut Place) -> &'static handleguard::Place {
    // SAFETY: `place` is valid for reads and writes: required by this fn. The field has the alignment of a pointer, and every access
    // to it is here, and atomic.
    let kept = unsafe { AtomicPtr::from_ptr((&raw mut (*place).interned).cast()) };
    let known: *mut handleguard::Place = kept.load(Ordering::Acquire);
    // SAFETY: the pointer is null, as the field's documentation requires at first, or was stored below, and then points to a place
    // that is never freed.
    if let Some(known) = unsafe { known.as_ref() } {
        return known;
    }
    // SAFETY: `place` is valid for reads, and its strings end with 0: required by this fn.
    let (name, file, line) = unsafe {
        (
            text((*place).name, "<unnamed>"),
            text((*place).file, "<unknown file>"),
            (*place).line,
        )
    };
    let place = handleguard::Place::interned(&name, &file, line);
    kept.store((&raw const *place).cast_mut(), Ordering::Release);
    place
}

/// # Safety
///
/// `text` is null, or ends with 0.
unsafe fn text(text: *const c_char, otherwise: &str) -> String {
    if text.is_null() {
        return otherwise.to_owned();
    }
    // SAFETY: not null, so it ends with 0: required by this fn.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}
