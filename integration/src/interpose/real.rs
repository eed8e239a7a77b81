//! V8's own functions, behind their hooks.
//!
//! Each is a jump through a weak reference to `__real_symbol`, which is null where the linker did not wrap the function.

use super::functions::hooked_functions;
use crate::ffi::{self, Handle, RawIsolate};
use std::arch::{asm, naked_asm};
use std::ffi::{c_int, c_void};

macro_rules! reals {
    ($(
        $symbol:literal, $serves:ident, $register:literal => $file:ident::$hook:ident,
            $real:ident($($name:ident: $type:ty),*) $(-> $result:ty)?;
    )*) => {$(
        #[doc = concat!("V8's own `", $symbol, "`.")]
        ///
        /// # Safety
        ///
        /// As that function's; and the linker wrapped it, so that the reference is not null.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $real($($name: $type),*) $(-> $result)? {
            naked_asm!(
                concat!(".weak __real_", $symbol),
                concat!("jmp qword ptr [rip + __real_", $symbol, "@GOTPCREL]"),
            )
        }
    )*};
}

hooked_functions!(reals);

/// Whether the linker wrapped the two functions of `HandleScope`.
fn handle_scope_is_wrapped() -> bool {
    let (construct, destruct): (usize, usize);
    // SAFETY: loads two words of the global offset table, which the loader filled before this program began.
    unsafe {
        asm!(
            ".weak __real_v8__HandleScope__CONSTRUCT",
            ".weak __real_v8__HandleScope__DESTRUCT",
            "mov {construct}, qword ptr [rip + __real_v8__HandleScope__CONSTRUCT@GOTPCREL]",
            "mov {destruct}, qword ptr [rip + __real_v8__HandleScope__DESTRUCT@GOTPCREL]",
            construct = out(reg) construct,
            destruct = out(reg) destruct,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    construct != 0 && destruct != 0
}

/// Constructs a `HandleScope` of `isolate` in `storage`, past the hook.
///
/// # Safety
///
/// `isolate` is live and this thread may use it; `storage` has room for a `HandleScope`.
pub(crate) unsafe fn construct_unhooked(storage: *mut ffi::ScopeBuffer, isolate: *mut RawIsolate) {
    if handle_scope_is_wrapped() {
        // SAFETY: the same requirements, and the function is wrapped.
        unsafe { handle_scope_construct(storage.cast(), isolate) }
    } else {
        // SAFETY: the same requirements.
        unsafe { ffi::v8__HandleScope__CONSTRUCT(storage, isolate) }
    }
}

/// Destroys it, past the hook.
///
/// # Safety
///
/// `storage` holds a `HandleScope` of a live isolate that this thread may use, and it is the innermost one.
pub(crate) unsafe fn destruct_unhooked(storage: *mut ffi::ScopeBuffer) {
    if handle_scope_is_wrapped() {
        // SAFETY: the same requirements, and the function is wrapped.
        unsafe { handle_scope_destruct(storage.cast()) }
    } else {
        // SAFETY: the same requirements.
        unsafe { ffi::v8__HandleScope__DESTRUCT(storage) }
    }
}
