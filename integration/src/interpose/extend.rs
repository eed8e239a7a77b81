//! The hook in `v8::internal::HandleScope::Extend` (`handles.cc`), by which V8 gets room for a handle where the innermost scope
//! has none left: once for each 1,022 handles, for the first handle after a seal, and for each handle under a seal or in no
//! scope at all, before it ends the process.
//!
//! V8 declares it `V8_PRESERVE_MOST` (`handles.h`): the caller may keep values in nearly all registers, and a function of Rust in
//! its place would destroy them. So this twin is written by hand.

use super::blocks;
use super::hook::{Hook, Use};
use super::probing;
use crate::ffi::RawIsolate;
use crate::isolate::LiveV8;
use crate::seal;
use handleguard::hooks;
use std::arch::naked_asm;

/// `v8::internal::HandleScope::Extend(v8::internal::Isolate*)`.
pub(super) static EXTEND: Hook = Hook {
    symbol: "_ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE",
    serves: Use::Refused,
    wrapped: || {
        unsafe extern "C" {
            #[link_name = "_ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE"]
            fn wrapped();
        }
        wrapped as *const ()
    },
    twin: wrap_extend as *const (),
};

/// The linker puts this in the place of `Extend`. It keeps the registers that a function of Rust may change and `Extend` may not,
/// calls [`extends`], and jumps to the real `Extend` if that returns 0; else it returns the same, or null to a probe. `rax` holds
/// the result, and `r11` is free.
///
/// It has its own unwind directives, for a report shows the stack from here.
///
/// # Safety
///
/// As `Extend`'s.
#[unsafe(naked)]
#[unsafe(export_name = "__wrap__ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE")]
unsafe extern "C" fn wrap_extend() {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "push rcx",
        ".cfi_adjust_cfa_offset 8",
        "push r8",
        ".cfi_adjust_cfa_offset 8",
        "push r9",
        ".cfi_adjust_cfa_offset 8",
        // Seven and the return address: the stack is aligned for the call.
        "push r10",
        ".cfi_adjust_cfa_offset 8",
        "call {extends}",
        "pop r10",
        ".cfi_adjust_cfa_offset -8",
        "pop r9",
        ".cfi_adjust_cfa_offset -8",
        "pop r8",
        ".cfi_adjust_cfa_offset -8",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "test rax, rax",
        "jne 2f",
        ".weak __real__ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE",
        "jmp qword ptr [rip + __real__ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE@GOTPCREL]",
        "2:",
        // Of an address of a handle, this changes nothing; of `PROBED`, it makes null.
        "and rax, -8",
        "ret",
        ".cfi_endproc",
        extends = sym extends,
    )
}

/// What [`extends`] returns to a probe: no address of a handle.
const PROBED: usize = 1;

/// Records that V8 begins a block of handles. Reports a handle that V8 is about to refuse, and rescues it where that is possible.
/// Returns 0 if the real `Extend` is to run now; else what that returned, or [`PROBED`] to a probe.
///
/// # Safety
///
/// `isolate` is live and this thread uses it, as `Extend` requires; or a probe is in progress on this thread.
unsafe extern "C" fn extends(isolate: *mut RawIsolate) -> usize {
    if probing::is_probing() {
        return PROBED;
    }
    // SAFETY: it is no probe, so `isolate` is live and this thread uses it, as this function requires.
    let live = unsafe { LiveV8::from_raw(isolate) };
    // Also for a handle that is rescued: it may begin a block.
    if let Some((index, size)) = blocks::begins(live) {
        hooks::block_begins(live, index, size);
    }
    if live.refuses_handles() {
        // SAFETY: the isolate is live and this thread uses it, as this function requires; the linker wrapped `Extend`, for this runs.
        return seal::rescue(live, || unsafe { real_extend(isolate) });
    }
    0
}

/// The real `Extend`. It keeps more registers than a function of C does.
///
/// # Safety
///
/// As `Extend`'s; and the linker wrapped it, so that the reference is not null.
#[unsafe(naked)]
unsafe extern "C" fn real_extend(isolate: *mut RawIsolate) -> usize {
    naked_asm!(
        ".weak __real__ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE",
        "jmp qword ptr [rip + __real__ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE@GOTPCREL]",
    )
}
