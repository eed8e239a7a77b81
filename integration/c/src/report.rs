use crate::status::{Failure, Status, guarded};
use std::ffi::{c_char, c_void};
use std::time::Duration;

/// Writes the report, with all sites and counters so far, as text into `buffer`: as much as fits in `size` bytes with the 0 at its
/// end. Returns how many bytes the whole report needs, with that 0, or 0 after an error.
///
/// The report may grow between two calls, as other threads add to it. `handleguard_report_to` needs only one call.
///
/// # Safety
///
/// `buffer` is null, or `size` bytes of it may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_report(buffer: *mut c_char, size: usize) -> usize {
    let mut needed = 0;
    guarded("handleguard_report", || {
        let text = handleguard::report().to_string();
        needed = text.len() + 1;
        if buffer.is_null() || size == 0 {
            return Ok(());
        }
        let fits = text.floor_char_boundary(size - 1);
        // SAFETY: `buffer` is not null, so `size` bytes of it may be written: required by this fn. `fits + 1` is at most `size`.
        unsafe {
            buffer.copy_from_nonoverlapping(text.as_ptr().cast(), fits);
            buffer.add(fits).write(0);
        }
        Ok(())
    });
    needed
}

/// Calls `write` once with `data`, the report as text, and the length of the text without the 0 at its end. The text is valid until
/// `write` returns.
///
/// # Safety
///
/// `write` is null, or may be called with `data`, and does not throw.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_report_to(
    write: Option<unsafe extern "C" fn(data: *mut c_void, text: *const c_char, length: usize)>,
    data: *mut c_void,
) -> Status {
    guarded("handleguard_report_to", || {
        let Some(write) = write else {
            return Err(Failure::null("write"));
        };
        let text = handleguard::report().to_string() + "\0";
        // SAFETY: `write` may be called with `data`: required by this fn. The text ends with 0.
        unsafe { write(data, text.as_ptr().cast(), text.len() - 1) };
        Ok(())
    })
}

/// Waits until the first violation at each site has been logged, `timeout_ms` milliseconds at most: a thread of the checker logs it,
/// soon after it occurred. A process that returns from `main` or calls `exit` need not call it; one that calls `abort` or `_exit`
/// loses what has not been logged.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_flush(timeout_ms: u32) -> Status {
    guarded("handleguard_flush", || {
        if handleguard::flush(Duration::from_millis(timeout_ms.into())) {
            return Ok(());
        }
        Err(Failure::new(
            Status::Timeout,
            format_args!("violations wait to be logged after {timeout_ms} ms"),
        ))
    })
}
