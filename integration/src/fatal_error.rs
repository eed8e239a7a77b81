//! V8's fatal-error handler: the report of a handle that V8 refuses comes before V8's own words.

use crate::current;
use crate::ffi;
use crate::interpose::proof;
use crate::isolate::LiveV8;
use std::ffi::{CStr, c_char};
use std::io::Write;

/// Sets the fatal-error handler of `isolate`, in place of the host's if it had one: V8 keeps one, and has no function that
/// returns it.
pub(crate) fn report_before_v8_ends(isolate: LiveV8<'_>) {
    // SAFETY: the isolate is live (`LiveV8`); the handler is a function of this program.
    unsafe { ffi::set_fatal_error_handler(isolate.as_raw(), on_fatal_error) }
}

/// V8's own behaviour, after the report of a handle that it refused: it prints the same lines and aborts (`api.cc`,
/// `Utils::ReportApiFailure`).
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
    if location == c"v8::HandleScope::CreateHandle()"
        && !current.is_null()
        && !proof::sees_refused_handles()
    {
        // SAFETY: the current isolate of this thread is live, and V8 stands still below this call.
        let live = unsafe { LiveV8::from_raw(current) };
        let _dies = handleguard::handle_refused(live, false);
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n#\n# Fatal error in {}\n# {}\n#\n",
        location.to_string_lossy(),
        message.to_string_lossy()
    );
    std::process::abort();
}
