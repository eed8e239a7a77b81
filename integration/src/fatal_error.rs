//! V8's fatal-error handler: the report of a handle that V8 refuses comes before V8's own words.
//!
//! An isolate has one handler (`isolate.h`, `exception_behavior`). It is set here only where nothing else can report such a handle
//! and nothing is lost: the hook in `Extend` did not take effect, and the host has not set a handler of its own. The handler ends
//! the process as V8 does without one.

use crate::current;
use crate::ffi::{self, RawIsolate};
use crate::interpose::proof;
use crate::isolate::LiveV8;
use once_cell::race::OnceBox;
use std::ffi::{CStr, c_char};
use std::io::Write;
use std::ptr;

/// More words than an isolate has: 1 MiB, and V8 15 has the handler below byte 70,000.
const WINDOW: usize = 1 << 17;

/// Sets the fatal-error handler of `isolate`, unless the hook in `Extend` reports refused handles, or the host has set a handler.
pub(crate) fn report_before_v8_ends(isolate: LiveV8<'_>) {
    if !proof::sees_refused_handles() && !has_handler(isolate) {
        // SAFETY: the isolate is live (`LiveV8`); the handler is a function of this program.
        unsafe { ffi::set_fatal_error_handler(isolate.as_raw(), on_fatal_error) }
    }
}

/// Whether the isolate has a handler, or may have one. V8 has no function that returns it.
fn has_handler(isolate: LiveV8<'_>) -> bool {
    let Some(offset) = handler_offset() else {
        return true;
    };
    // SAFETY: the isolate is live (`LiveV8`), and V8's setter writes to this offset of it.
    let handler: usize = unsafe { ptr::read_volatile(isolate.as_raw().byte_add(offset).cast()) };
    handler != 0
}

/// Where an isolate keeps its handler, in bytes. Found at the first call: V8's setter writes into memory that stands in for an
/// isolate.
fn handler_offset() -> Option<usize> {
    static OFFSET: OnceBox<Option<usize>> = OnceBox::new();
    *OFFSET.get_or_init(|| {
        let mut memory = vec![0_usize; WINDOW];
        let isolate: *mut RawIsolate = memory.as_mut_ptr().cast();
        // SAFETY: the setter stores its argument in a field of the isolate and does nothing else (`api.cc`, `CALLBACK_SETTER`), and
        // an isolate is far smaller than this memory.
        unsafe { ffi::set_fatal_error_handler(isolate, on_fatal_error) };
        let word = memory.iter().position(|&word| word != 0);
        Box::new(word.map(|word| word * size_of::<usize>()))
    })
}

/// Reports a handle that V8 refuses, and ends the process as V8 does without a handler (`api.cc`, `Utils::ReportApiFailure` and
/// `Utils::ReportOOMFailure`).
unsafe extern "C" fn on_fatal_error(location: *const c_char, message: *const c_char) {
    let text = |text: *const c_char| {
        if text.is_null() {
            return c"";
        }
        // SAFETY: V8 hands C strings (`v8-callbacks.h`, `FatalErrorCallback`), and they outlive this call, which does not
        // return.
        unsafe { CStr::from_ptr::<'static>(text) }
    };
    let (location, message) = (text(location), text(message));
    let current = current::isolate();
    if location == c"v8::HandleScope::CreateHandle()" && !current.is_null() {
        // SAFETY: the current isolate of this thread is live, and V8 stands still below this call.
        let live = unsafe { LiveV8::from_raw(current) };
        let _dies = handleguard::handle_refused(live, false);
    }
    if message.to_bytes().starts_with(b"Allocation failed - ") {
        let of_process = message.to_bytes().ends_with(b"process out of memory");
        // SAFETY: `location` is a C string, and the kind one of the two that V8 has.
        unsafe { ffi::fatal_oom(of_process.into(), location.as_ptr()) }
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n#\n# Fatal error in {}\n# {}\n#\n",
        location.to_string_lossy(),
        message.to_string_lossy()
    );
    // SAFETY: the function has no precondition.
    unsafe { ffi::os_abort() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_seen_where_v8_keeps_it() {
        crate::__doctest::setup();
        let isolate = v8::Isolate::new(Default::default());
        let live = LiveV8::of(&isolate);
        assert!(handler_offset().is_some_and(|offset| offset < 256 << 10));
        assert!(!has_handler(live));
        // SAFETY: the isolate is live.
        unsafe { ffi::set_fatal_error_handler(live.as_raw(), on_fatal_error) };
        assert!(has_handler(live));
        let other = v8::Isolate::new(Default::default());
        assert!(!has_handler(LiveV8::of(&other)));
    }
}
