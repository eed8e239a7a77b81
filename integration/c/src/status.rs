//! The result of each function of the interface: a code, and a message that the thread keeps.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of a function. `handleguard_last_error` returns the message.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Success.
    Ok = 0,
    /// An argument is out of range, or null where that is not accepted.
    Argument = 1,
    /// The isolate is not registered.
    Unregistered = 2,
    /// The entry is not open on this thread: it has already ended, an entry around it has ended, or it began on another thread.
    NotOpen = 3,
    /// A directive is invalid.
    Directive = 4,
    /// The checker is already running.
    Started = 5,
    /// A bug in handleguard. The call had no effect.
    Internal = 6,
    /// The time was up before the function was done.
    Timeout = 7,
}

/// A status other than `Ok`, with its message.
pub(crate) struct Failure {
    status: Status,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Self {
        Self {
            status,
            message: message.to_string(),
        }
    }

    pub(crate) fn null(argument: &str) -> Self {
        Self::new(Status::Argument, format_args!("`{argument}` is null"))
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Runs the body of `function`, and turns a panic into [`Status::Internal`].
pub(crate) fn guarded(function: &str, body: impl FnOnce() -> Result<(), Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(
            Status::Internal,
            "[handleguard internal bug] it panicked; the panic's message is on stderr",
        ),
    };
    let message = format!("{function}: {}", failure.message).replace('\0', "\\0");
    // While the thread's locals are destroyed, only the code remains.
    let _ = LAST.try_with(|last| {
        if let (Ok(mut last), Ok(message)) = (last.try_borrow_mut(), CString::new(message)) {
            *last = message;
        }
    });
    failure.status
}

/// Returns the message of the last failure on this thread; an empty string if there was none. Valid until the next function of the
/// interface fails on this thread, or the thread ends. Never null.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_last_error() -> *const c_char {
    LAST.try_with(|last| last.try_borrow().map_or(c"".as_ptr(), |last| last.as_ptr()))
        .unwrap_or(c"".as_ptr())
}
