//! The interface that the host passes to an add-on: a table of functions over opaque values, as in N-API. `addons/addon.h` has it for
//! C++; the add-ons in Rust compile this file.
#![allow(dead_code, reason = "host and add-ons use different parts")]

use std::ffi::{c_char, c_void};

/// The version of the table.
pub const VERSION: u32 = 1;

/// A JavaScript value. It lives as long as the scope in which it was made.
pub type Value = *const c_void;

/// A scope that the add-on has opened; 0 is none.
pub type Scope = u32;

/// The result of a function.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Ok = 0,
    /// An argument is null or of the wrong type.
    Argument = 1,
    /// JavaScript threw.
    Exception = 2,
    /// The scope is not open, or not the innermost.
    ScopeMismatch = 3,
}

/// Valid during the call that receives it, on the thread of that call.
#[repr(C)]
pub struct Api {
    pub version: u32,
    /// The first argument of each function below.
    pub host: *mut c_void,
    pub open_scope: unsafe extern "C" fn(host: *mut c_void, scope: *mut Scope) -> Status,
    pub close_scope: unsafe extern "C" fn(host: *mut c_void, scope: Scope) -> Status,
    /// Makes a string of `length` bytes in UTF-8.
    pub string: unsafe extern "C" fn(
        host: *mut c_void,
        text: *const c_char,
        length: usize,
        value: *mut Value,
    ) -> Status,
    /// Looks up the JavaScript function of a name, which ends with 0.
    pub function:
        unsafe extern "C" fn(host: *mut c_void, name: *const c_char, value: *mut Value) -> Status,
    /// Calls a JavaScript function with one argument.
    pub call: unsafe extern "C" fn(
        host: *mut c_void,
        function: Value,
        argument: Value,
        result: *mut Value,
    ) -> Status,
}

/// The type of the functions that an add-on exports, one for each event that it handles.
pub type Handler = unsafe extern "C" fn(api: *const Api);
