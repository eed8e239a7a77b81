//! Sealed turns: V8's own `SealHandleScope`, and what happens when a handle is made under one, or with no scope at all.
//!
//! V8 refuses such a handle by ending the process (`handles.cc`, `HandleScope::Extend`), with one text for both cases and
//! no stack. [`on_fatal_error`] has handleguard's report come first.

use crate::current;
use crate::engine::LiveV8;
use crate::ffi::{self, RawIsolate, SealBuffer};
use handleguard::EntryId;
use handleguard::LiveIsolate;
use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::io::Write;

thread_local! {
    /// The seals of this thread's turns, in order of sealing.
    static SEALS: RefCell<Vec<Seal>> = const { RefCell::new(Vec::new()) };
}

struct Seal {
    isolate: *mut RawIsolate,
    turn: EntryId,
    /// V8's level when it was made: handles are refused at this level.
    #[cfg_attr(
        not(all(feature = "interpose", target_os = "linux", target_arch = "x86_64")),
        expect(dead_code, reason = "only the hook in `Extend` can rescue")
    )]
    level: Option<u32>,
    buffer: SealBuffer,
}

/// Seals the isolate for `turn`. Returns `false` if the thread's locals are gone.
pub(crate) fn seal(live: LiveV8<'_>, turn: EntryId) -> bool {
    let isolate = live.as_raw();
    let mut buffer = SealBuffer::default();
    SEALS
        .try_with(|seals| {
            let Ok(mut seals) = seals.try_borrow_mut() else {
                return false;
            };
            // SAFETY: the isolate is live and this thread's (`LiveV8`); the buffer has room, and may be moved (`SealBuffer`).
            unsafe { ffi::seal(&raw mut buffer, isolate) };
            seals.push(Seal {
                isolate,
                turn,
                level: live.level(),
                buffer,
            });
            true
        })
        .unwrap_or(false)
}

/// Lifts the seal of `turn`, and of the turns inside it that were never lifted; none, if a rescue has.
pub(crate) fn unseal(live: LiveV8<'_>, turn: EntryId) {
    let isolate = live.as_raw();
    // SAFETY: the seals are of `isolate`, which is live (`LiveV8`).
    unsafe { lift(|seal| seal.isolate == isolate && seal.turn >= turn) }
}

/// Has a handle reported that V8 is about to refuse, and lifts the seals that keep it from being made. V8 ends the process where
/// they are not ours, or the action says so.
///
/// # Safety
///
/// `engine` is a live isolate of this thread.
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
pub(crate) unsafe fn rescue(engine: LiveV8<'_>) {
    let level = engine.level();
    let ours = |seal: &Seal| seal.isolate == engine.as_raw() && seal.level == level;
    let can_rescue = SEALS.try_with(|seals| {
        let seals = seals.try_borrow();
        seals.is_ok_and(|seals| seals.iter().any(ours))
    });
    match handleguard::handle_refused(engine, can_rescue.unwrap_or(false)) {
        handleguard::Refused::Die => {}
        // SAFETY: the caller's promise.
        handleguard::Refused::Rescue => unsafe { lift(ours) },
    }
}

/// Lifts the seals that `which` holds for, innermost first.
///
/// # Safety
///
/// They are of live isolates.
unsafe fn lift(which: impl Fn(&Seal) -> bool) {
    let _ = SEALS.try_with(|seals| {
        let Ok(mut seals) = seals.try_borrow_mut() else {
            return;
        };
        while let Some(at) = seals.iter().rposition(&which) {
            let mut seal = seals.remove(at);
            // SAFETY: constructed by `seal`, destroyed here once, and the isolate lives by the caller's promise.
            unsafe { ffi::unseal(&raw mut seal.buffer) };
        }
    });
}

/// Has handleguard's report come before V8's last words in `isolate`.
///
/// # Safety
///
/// `isolate` is a live isolate of this thread.
pub(crate) unsafe fn report_before_v8_ends(isolate: *mut RawIsolate) {
    // SAFETY: the caller's promise; the handler lives for ever.
    unsafe { ffi::set_fatal_error_handler(isolate, on_fatal_error) }
}

/// Whether the hook in `HandleScope::Extend` has told of it before.
fn reported() -> bool {
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    if crate::interpose::sees_refused_handles() {
        return true;
    }
    false
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
    if location == c"v8::HandleScope::CreateHandle()" && !current.is_null() && !reported() {
        // SAFETY: the current isolate of this thread is live, and V8 stands still below this call.
        let engine = unsafe { LiveV8::from_raw(current) };
        let _dies = handleguard::handle_refused(engine, false);
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n#\n# Fatal error in {}\n# {}\n#\n",
        location.to_string_lossy(),
        message.to_string_lossy()
    );
    std::process::abort();
}
