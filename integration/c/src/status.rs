//! How a function of the interface ends: a code, and a message for the thread that asks.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a function ended. `handleguard_last_error` has the words.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// As asked.
    Ok = 0,
    /// An argument is null that must not be, or out of range.
    Argument = 1,
    /// The isolate is not registered.
    Unregistered = 2,
    /// What is to end is not open on this thread: it has ended, or what it was begun in has, or another thread began it.
    NotOpen = 3,
    /// A directive was not understood.
    Directive = 4,
    /// The checker is already running.
    Started = 5,
    /// A bug in handleguard; nothing was done.
    Internal = 6,
}

/// A status that is not `Ok`, in words.
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

/// Runs the body of `function`. No panic leaves it.
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
    // Once the thread's locals are gone, there is the code.
    let _ = LAST.try_with(|last| {
        if let (Ok(mut last), Ok(message)) = (last.try_borrow_mut(), CString::new(message)) {
            *last = message;
        }
    });
    failure.status
}

/// What went wrong on this thread last; empty if nothing did. Valid until the next function of the interface fails on this
/// thread, or the thread ends. Never null.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_last_error() -> *const c_char {
    LAST.try_with(|last| last.try_borrow().map_or(c"".as_ptr(), |last| last.as_ptr()))
        .unwrap_or(c"".as_ptr())
}
