use crate::status::{Failure, Status, guarded};
use std::ffi::{c_char, c_void};

/// Writes the report, all sites and counters as they stand now, as text into `buffer`, as much as fits in `size` bytes with
/// the 0 at its end. Returns how many bytes the whole would need, with that 0; 0 if there is none because of an error.
///
/// Another thread may add to it in the meantime: `handleguard_report_to` needs no second call.
///
/// # Safety
///
/// `buffer` is null, or `size` bytes from it may be written.
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
        // SAFETY: not null, and `fits + 1` is at most `size`, of which the caller promises that they may be written.
        unsafe {
            buffer.copy_from_nonoverlapping(text.as_ptr().cast(), fits);
            buffer.add(fits).write(0);
        }
        Ok(())
    });
    needed
}

/// Gives the report as text to `write`, once, with `data` and its length without the 0 at its end. It is `write`'s until
/// that returns.
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
        // SAFETY: the caller's promise; the text ends with 0.
        unsafe { write(data, text.as_ptr().cast(), text.len() - 1) };
        Ok(())
    })
}
