//! The twins that the linker puts in the place of V8's functions, and the way to the functions themselves.
//!
//! A twin adds the address that it will return to as a further argument and jumps to the hook: it is never a frame of the
//! stack. The way to the real function is a jump by a weak reference, null where the linker was not told to wrap it.

use super::{calls, isolates, scopes};
use crate::ffi::RawIsolate;
use std::arch::naked_asm;
use std::ffi::{c_int, c_void};

/// For each function: its twin, which puts the return address in `$register`, that of the first argument that the function
/// does not take, and its real self.
macro_rules! hooks {
    ($(
        $symbol:literal, $use:expr => $hook:path, $register:literal,
            $wrap:ident, $real:ident($($name:ident: $type:ty),*) $(-> $result:ty)?;
    )*) => {
        /// Each function that has a hook, and its twin.
        pub(super) static HOOKS: [Hook; [$($symbol),*].len()] = [$(Hook {
            symbol: $symbol,
            serves: $use,
            wrapped: || {
                #[allow(
                    clashing_extern_declarations,
                    reason = "only the address is meant"
                )]
                unsafe extern "C" {
                    #[link_name = $symbol]
                    fn wrapped();
                }
                wrapped as *const ()
            },
            twin: $wrap as *const (),
        }),*];

        $(
            /// What the linker puts in the place of the function.
            ///
            /// # Safety
            ///
            /// As the function's.
            #[unsafe(naked)]
            #[unsafe(export_name = concat!("__wrap_", $symbol))]
            unsafe extern "C" fn $wrap() {
                naked_asm!(
                    concat!("mov ", $register, ", [rsp]"),
                    "jmp {hook}",
                    hook = sym $hook,
                )
            }

            /// The function itself.
            ///
            /// # Safety
            ///
            /// As the function's, and its hook is called: then the linker has wrapped it.
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $real($($name: $type),*) $(-> $result)? {
                naked_asm!(
                    concat!(".weak __real_", $symbol),
                    concat!("jmp qword ptr [rip + __real_", $symbol, "@GOTPCREL]"),
                )
            }
        )*
    };
}

/// What a hook is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Scopes,
    Calls,
    Turns,
    Isolates,
    Refused,
}

impl Use {
    pub(super) const ALL: [Self; 5] = [
        Self::Scopes,
        Self::Calls,
        Self::Turns,
        Self::Isolates,
        Self::Refused,
    ];

    /// What is not seen without it.
    pub(super) fn blind(self) -> &'static str {
        match self {
            Self::Scopes => {
                "plain scopes have no name, and out-of-order and never-closed do not judge them"
            }
            Self::Calls => "missing-scope and outer-growth do not judge plain calls",
            Self::Turns => "no turn is recognised that the program does not mark",
            Self::Isolates => {
                "in-gc, never-closed and wrong-isolate know an isolate only by its guards"
            }
            Self::Refused => "sealed can rescue no handle",
        }
    }
}

/// One function that has a hook.
pub(super) struct Hook {
    pub(super) symbol: &'static str,
    pub(super) serves: Use,
    /// What a call of the function calls, in this program.
    pub(super) wrapped: fn() -> *const (),
    pub(super) twin: *const (),
}

// SAFETY: two addresses of code, and nothing is done through them but a call that proves the hook.
unsafe impl Sync for Hook {}

hooks! {
    "v8__HandleScope__CONSTRUCT", Use::Scopes => scopes::handle_scope_opens, "rdx",
        wrap_handle_scope_construct, handle_scope_construct(storage: *mut c_void, isolate: *mut RawIsolate);
    "v8__HandleScope__DESTRUCT", Use::Scopes => scopes::closes_handle_scope, "rsi",
        wrap_handle_scope_destruct, handle_scope_destruct(storage: *mut c_void);
    "v8__TryCatch__CONSTRUCT", Use::Scopes => scopes::try_catch_opens, "rdx",
        wrap_try_catch_construct, try_catch_construct(storage: *mut c_void, isolate: *mut RawIsolate);
    "v8__TryCatch__DESTRUCT", Use::Scopes => scopes::closes_try_catch, "rsi",
        wrap_try_catch_destruct, try_catch_destruct(storage: *mut c_void);
    "v8__Function__Call", Use::Calls => calls::function_call, "r9",
        wrap_function_call, real_function_call(
            function: *const c_void, context: *const c_void, recv: *const c_void, argc: c_int, argv: *const *const c_void
        ) -> *const c_void;
    "v8__Function__NewInstance", Use::Calls => calls::function_new_instance, "r8",
        wrap_function_new_instance, real_function_new_instance(
            function: *const c_void, context: *const c_void, argc: c_int, argv: *const *const c_void
        ) -> *const c_void;
    "v8__Script__Run", Use::Calls => calls::script_run, "rdx",
        wrap_script_run, real_script_run(script: *const c_void, context: *const c_void) -> *const c_void;
    "v8__Module__Evaluate", Use::Calls => calls::module_evaluate, "rdx",
        wrap_module_evaluate, real_module_evaluate(module: *const c_void, context: *const c_void) -> *const c_void;
    "v8__Isolate__PerformMicrotaskCheckpoint", Use::Calls => calls::isolate_checkpoint, "rsi",
        wrap_isolate_checkpoint, real_isolate_checkpoint(isolate: *mut RawIsolate);
    "v8__MicrotaskQueue__PerformCheckpoint", Use::Calls => calls::queue_checkpoint, "rdx",
        wrap_queue_checkpoint, real_queue_checkpoint(isolate: *mut RawIsolate, queue: *const c_void);
    "v8__Platform__PumpMessageLoop", Use::Turns => calls::pump, "rcx",
        wrap_pump, real_pump(platform: *mut c_void, isolate: *mut RawIsolate, wait: bool) -> bool;
    "v8__Isolate__New", Use::Isolates => isolates::new, "rsi",
        wrap_isolate_new, real_isolate_new(params: *const c_void) -> *mut RawIsolate;
    "v8__Isolate__Enter", Use::Isolates => isolates::enter, "rsi",
        wrap_isolate_enter, real_isolate_enter(isolate: *mut RawIsolate);
    "v8__Isolate__Exit", Use::Isolates => isolates::exit, "rsi",
        wrap_isolate_exit, real_isolate_exit(isolate: *mut RawIsolate);
    "v8__Isolate__Dispose", Use::Isolates => isolates::dispose, "rsi",
        wrap_isolate_dispose, real_isolate_dispose(isolate: *mut RawIsolate);
}
