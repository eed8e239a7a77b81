//! [handleguard] for C and C++: the library behind `handleguard.h` and `handleguard.hpp`, for embedders of V8 that are not
//! written in Rust. It knows no V8 of its own: the host registers each isolate by its address, with functions that read it;
//! `handleguard.hpp` has these where V8's headers are included.
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
//! The crate's script `install <prefix>` builds `libhandleguard_c.a` and `libhandleguard_c.so` and puts them there, with the
//! headers and a file for pkg-config. The static library needs `-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc`.
//!
//! # The boundary
//!
//! Each function takes null, and answers wrong arguments by a [`Status`] and a message. Nothing is to be freed by the
//! caller. No panic leaves: the action `panic` aborts here, as C and C++ frames cannot be unwound by it. `handleguard.h` is
//! written by cbindgen from this source, and a test compares the two.

mod config;
mod guards;
mod isolate;
mod place;
mod report;
mod status;

pub use config::{HANDLEGUARD_ABI_VERSION, handleguard_abi_version, handleguard_init};
pub use guards::{
    Callback, Scope, ScopeKind, Turn, handleguard_callback_begin, handleguard_callback_end,
    handleguard_scope_begin, handleguard_scope_end, handleguard_turn_begin, handleguard_turn_end,
};
pub use isolate::{Reader, handleguard_isolate_end, handleguard_isolate_register};
pub use place::Place;
pub use report::{handleguard_report, handleguard_report_to};
pub use status::{Status, handleguard_last_error};
