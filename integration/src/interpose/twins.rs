//! The functions that the linker puts in the place of V8's.
//!
//! A twin adds the address that it will return to as one more argument and jumps to its hook, so it never has a frame on the
//! stack. The hook returns at once to a probe.

use super::functions::hooked_functions;
use super::hook::{Hook, Use};
use super::probing::{self, Ignored};
use super::{calls, isolates, persistent, scopes, siblings};
use crate::ffi::{Handle, RawIsolate};
use std::arch::naked_asm;
use std::ffi::{c_int, c_void};

macro_rules! twins {
    ($(
        $symbol:literal, $serves:ident, $register:literal => $file:ident::$hook:ident,
            $real:ident($($name:ident: $type:ty),*) $(-> $result:ty)?;
    )*) => {
        /// The hooks that this file has twins for.
        pub(super) static HOOKS: [Hook; [$($symbol),*].len()] = [$(Hook {
            symbol: $symbol,
            serves: Use::$serves,
            wrapped: || {
                #[allow(
                    clashing_extern_declarations,
                    reason = "only the address is used"
                )]
                unsafe extern "C" {
                    #[link_name = $symbol]
                    fn wrapped();
                }
                wrapped as *const ()
            },
            twin: $real::twin as *const (),
        }),*];

        $(
            mod $real {
                use super::*;

                #[doc = concat!("The linker puts this in the place of `", $symbol, "`.")]
                ///
                /// # Safety
                ///
                /// As that function's.
                #[unsafe(naked)]
                #[unsafe(export_name = concat!("__wrap_", $symbol))]
                pub(super) unsafe extern "C" fn twin() {
                    naked_asm!(
                        concat!("mov ", $register, ", [rsp]"),
                        "jmp {hook}",
                        hook = sym hook,
                    )
                }

                /// # Safety
                ///
                /// As the function's, or a probe is in progress on this thread.
                unsafe extern "C" fn hook($($name: $type,)* ip: usize) $(-> $result)? {
                    if probing::is_probing() {
                        return Ignored::VALUE;
                    }
                    // SAFETY: it is no probe, so a caller of V8's function passed these arguments; and that the call came here
                    // means that the linker wrapped the function.
                    unsafe { $file::$hook($($name,)* ip) }
                }
            }
        )*
    };
}

hooked_functions!(twins);
