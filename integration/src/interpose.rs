//! Hooks in the functions by which any crate of the program uses V8, put there by the linker.
//!
//! The v8 crate opens each scope, and makes each call into JavaScript, by an `extern "C"` function of its `binding.cc`. With
//! `--wrap=f`, whoever calls `f` calls `__wrap_f` here, which tells the checker and calls `__real_f`, the function itself.
//! `handleguard-build` has the linker told so.
//!
//! ```text
//!   v8::scope!  ->  v8__HandleScope__CONSTRUCT
//!                     = __wrap_v8__HandleScope__CONSTRUCT     link.rs: adds the return address
//!                       -> scopes::handle_scope_opens         tells the checker
//!                          -> __real_v8__HandleScope__CONSTRUCT
//! ```
//!
//! Without `--wrap` nobody calls the twins, and nothing defines `__real_f`: the references are weak, so that the program
//! links all the same, and says at its start that it sees nothing.

mod calls;
mod extend;
mod isolates;
mod link;
mod proof;
mod scopes;

pub(crate) use isolates::has_isolate_hooks;
pub(crate) use proof::{capabilities, sees_refused_handles};
