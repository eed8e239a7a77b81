//! Hooks in the functions by which any crate of the program uses V8. The linker puts them there.
//!
//! The v8 crate opens each scope, and makes each call into JavaScript, by an `extern "C"` function of its `binding.cc`. Under
//! the linker's option `--wrap=f`, whoever calls `f` calls `__wrap_f` in this folder, which records the call and calls
//! `__real_f`, the function itself. `handleguard-build` passes the options.
//!
//! ```text
//!   v8::scope!  ->  v8__HandleScope__CONSTRUCT
//!                     = __wrap_v8__HandleScope__CONSTRUCT        twins.rs: adds the return address, returns to a probe
//!                       -> scopes::construct_handle_scope        records the scope
//!                          -> __real_v8__HandleScope__CONSTRUCT  real.rs
//! ```
//!
//! `integration/entries.txt` has each function of the binding: which of them may run JavaScript, which of those are hooked, and why the
//! others are not.
//!
//! Without `--wrap` nothing calls the twins, and nothing defines `__real_f`: the references are weak, so that the program
//! links all the same, and its start-up line says that it sees nothing.

pub(crate) mod blocks;
mod calls;
mod extend;
mod functions;
mod hook;
pub(crate) mod isolates;
mod persistent;
mod probing;
pub(crate) mod proof;
pub(crate) mod real;
pub(crate) mod scopes;
mod siblings;
mod twins;
