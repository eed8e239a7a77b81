//! The word of a thread that points at its pending log, placed by the linker.
#![expect(unsafe_code, reason = "reads a thread-local by its address")]

pub mod tls_word;

use crate::thread::pending_log::PendingLog;
use std::ptr;

tls_word::__tls_word!(".globl", "handleguard_pending_log");

/// The word of the calling thread; null at first.
#[inline(always)]
pub(crate) fn get() -> *const PendingLog {
    // SAFETY: `offset` is the one that `__tls_word` declared just above.
    ptr::with_exposed_provenance(unsafe { tls_word::read(offset()) })
}

/// Sets the word of the calling thread.
pub(crate) fn set(log: *const PendingLog) {
    // SAFETY: as in `get`.
    unsafe { tls_word::write(offset(), log.expose_provenance()) }
}
