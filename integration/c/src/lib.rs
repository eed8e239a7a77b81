//! [handleguard] for C and C++: depends on the core alone, and contains no V8.
//!
//! This is the library behind `handleguard.h` and `handleguard.hpp`, for embedders of V8 that are not written in Rust. The host
//! registers each isolate by its address, with functions that read it; `handleguard.hpp` defines these where V8's headers are
//! included.
//!
//! ```c
//! #include <handleguard.h>
//!
//! void on_close(v8_isolate *isolate) {
//!   static handleguard_place here = HANDLEGUARD_HERE;
//!   handleguard_callback callback;
//!   handleguard_callback_begin(isolate, &here, &callback);
//!   call_javascript(isolate); /* no HandleScope was opened: the bug */
//!   handleguard_callback_end(callback);
//! }
//! ```
//!
//! The crate's script `install <prefix>` builds `libhandleguard_c.a` and `libhandleguard_c.so` and installs them there, with the
//! headers and a file for pkg-config. The static library needs `-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc`.
//!
//! # The boundary
//!
//! Each function accepts null, and returns a [`Status`] for wrong arguments, with a message in `handleguard_last_error`. The caller
//! frees nothing. No panic crosses the boundary: the action `panic` aborts here, because a panic must not unwind through frames of C
//! and C++. cbindgen generates `handleguard.h` from this source, and a test compares the two.

mod config;
mod guards;
mod isolate;
mod place;
mod report;
mod status;

pub use config::{HANDLEGUARD_ABI_VERSION, handleguard_abi_version, handleguard_init};
pub use guards::{
    Callback, Scope, ScopeKind, Turn, handleguard_callback_begin, handleguard_callback_end,
    handleguard_checkpoint_begin, handleguard_scope_begin, handleguard_scope_end,
    handleguard_turn_begin, handleguard_turn_end,
};
pub use isolate::{Reader, handleguard_isolate_end, handleguard_isolate_register};
pub use place::Place;
pub use report::{handleguard_flush, handleguard_report, handleguard_report_to};
pub use status::{Status, handleguard_last_error};
