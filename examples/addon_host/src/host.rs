//! A call into an add-on inside a guard, and the functions that the add-on may call meanwhile.

use crate::addon::Handler;
use crate::api::{Api, Scope, Status, VERSION, Value};
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::handleguard::{AddonFunction, ScopeGuard};
use handleguard_v8::{V8, addon_callback_guard, addon_guard, addon_scope_guard};
use std::any::Any;
use std::ffi::{CStr, c_char, c_void};
use std::pin::Pin;
use std::{ptr, slice};
use v8::{HandleScope, Local, PinScope};

/// The state of the host during one call into an add-on.
struct Host {
    /// The scope of the caller of [`call`].
    scope: *mut PinScope<'static, 'static>,
    function: AddonFunction,
    /// The scopes that the add-on has opened, innermost last.
    opened: Vec<Opened>,
    numbers: Scope,
}

/// A scope that the add-on has opened.
struct Opened {
    number: Scope,
    // Declared before the scope, so that the record closes while V8's scope is still open.
    guard: Option<ScopeGuard<V8>>,
    /// The `HandleScope`, in a box of a type that cannot be named here.
    _scope: Pin<Box<dyn Any>>,
}

/// Calls `handler` for one event. The caller must have read the context of `scope` before: the scope keeps the first handle of it,
/// which must not be one that dies with a scope of an add-on.
pub fn call(scope: &mut PinScope<'_, '_>, handler: &Handler) {
    // Declared before the guard, so dropped after it: the guard reports the scopes that the add-on left open before they are closed.
    let mut host = Host {
        scope: ptr::from_mut(scope).cast(),
        function: handler.function,
        opened: Vec::new(),
        numbers: 0,
    };
    let _addon = addon_guard(scope, handler.function);
    let api = Api {
        version: VERSION,
        host: (&raw mut host).cast(),
        open_scope,
        close_scope,
        string,
        function,
        call: call_function,
    };
    // SAFETY: this runs code of the add-on, which the host trusts with its process. The table is valid during the call.
    unsafe { (handler.entry)(&raw const api) };
}

impl Host {
    /// # Safety
    ///
    /// `host` is what `call` put into the table, and `call` has not returned.
    unsafe fn of<'a>(host: *mut c_void) -> (&'a mut Self, &'a mut PinScope<'static, 'static>) {
        // SAFETY: `call` has put the pointer into the table, and has not returned: required by this fn. The two borrows are of separate
        // fields. `call` uses neither while the add-on runs, and JavaScript calls no function of the table while another one runs.
        unsafe {
            let host = &mut *host.cast::<Self>();
            let scope = &mut *host.scope;
            (host, scope)
        }
    }

    /// Closes scopes, the innermost first, until `left` are open.
    fn close_down_to(&mut self, left: usize) {
        while self.opened.len() > left {
            self.opened.pop();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.close_down_to(0);
    }
}

unsafe extern "C" fn open_scope(host: *mut c_void, scope: *mut Scope) -> Status {
    // SAFETY: the add-on passes the table's `host`, during the call: `api.rs` requires it.
    let (host, v8) = unsafe { Host::of(host) };
    if scope.is_null() {
        return Status::Argument;
    }
    let mut storage = Box::pin(HandleScope::new(v8));
    storage.as_mut().init();
    // SAFETY: the add-on passes the table's `host`, during the call: `api.rs` requires it.
    let (_, v8) = unsafe { Host::of(ptr::from_mut(host).cast()) };
    host.numbers += 1;
    host.opened.push(Opened {
        number: host.numbers,
        guard: Some(addon_scope_guard(v8, ScopeKind::HandleScope, host.function)),
        _scope: storage,
    });
    // SAFETY: not null, so it points to a variable of the add-on: `api.rs` requires it.
    unsafe { scope.write(host.numbers) };
    Status::Ok
}

unsafe extern "C" fn close_scope(host: *mut c_void, scope: Scope) -> Status {
    // SAFETY: the add-on passes the table's `host`, during the call: `api.rs` requires it.
    let (host, _) = unsafe { Host::of(host) };
    let Some(at) = host.opened.iter().position(|opened| opened.number == scope) else {
        return Status::ScopeMismatch;
    };
    let is_innermost = at + 1 == host.opened.len();
    // The record ends as the add-on asked, so its error is reported. V8's own scopes close in order nevertheless, or its handles would
    // be corrupted.
    drop(host.opened[at].guard.take());
    host.close_down_to(at);
    if is_innermost {
        Status::Ok
    } else {
        Status::ScopeMismatch
    }
}

unsafe extern "C" fn string(
    host: *mut c_void,
    text: *const c_char,
    length: usize,
    value: *mut Value,
) -> Status {
    if text.is_null() || value.is_null() {
        return Status::Argument;
    }
    // SAFETY: `api.rs` requires of the add-on: `length` bytes from `text` may be read.
    let (scope, text) = unsafe { (Host::of(host).1, slice::from_raw_parts(text.cast(), length)) };
    match v8::String::new_from_utf8(scope, text, v8::NewStringType::Normal) {
        // SAFETY: not null, so it points to a variable of the add-on: `api.rs` requires it.
        Some(string) => unsafe { give(value, string.into()) },
        None => Status::Argument,
    }
}

unsafe extern "C" fn function(host: *mut c_void, name: *const c_char, value: *mut Value) -> Status {
    if name.is_null() || value.is_null() {
        return Status::Argument;
    }
    // SAFETY: `api.rs` requires of the add-on: the name ends with 0.
    let (scope, name) = unsafe { (Host::of(host).1, CStr::from_ptr(name)) };
    let found = v8::String::new_from_utf8(scope, name.to_bytes(), v8::NewStringType::Normal)
        .and_then(|name| {
            let global = scope.get_current_context().global(scope);
            global.get(scope, name.into())
        })
        .filter(|found| found.is_function());
    match found {
        // SAFETY: not null, so it points to a variable of the add-on: `api.rs` requires it.
        Some(function) => unsafe { give(value, function) },
        None => Status::Argument,
    }
}

unsafe extern "C" fn call_function(
    host: *mut c_void,
    function: Value,
    argument: Value,
    result: *mut Value,
) -> Status {
    // SAFETY: `api.rs` requires of the add-on: null, or values that are still alive.
    let (host, scope, function, argument) = unsafe {
        let (host, scope) = Host::of(host);
        (host, scope, local(function), local(argument))
    };
    let (Some(function), Some(argument)) = (function, argument) else {
        return Status::Argument;
    };
    let Ok(function) = Local::<v8::Function>::try_from(function) else {
        return Status::Argument;
    };
    if result.is_null() {
        return Status::Argument;
    }
    let returned = {
        let _callback = addon_callback_guard(scope, host.function, &function);
        let undefined = v8::undefined(scope).into();
        function.call(scope, undefined, &[argument])
    };
    match returned {
        // SAFETY: not null, so it points to a variable of the add-on: `api.rs` requires it.
        Some(returned) => unsafe { give(result, returned) },
        None => Status::Exception,
    }
}

/// # Safety
///
/// `out` may be written.
unsafe fn give(out: *mut Value, value: Local<'_, v8::Value>) -> Status {
    // SAFETY: `out` may be written: required by this fn.
    unsafe { out.write((&raw const *value).cast()) };
    Status::Ok
}

/// # Safety
///
/// `value` is null, or was returned by `give` in a scope that is still open.
unsafe fn local<'s>(value: Value) -> Option<Local<'s, v8::Value>> {
    // SAFETY: `value` is a live handle if it is not null: required by this fn. A `Local` is the address of its handle, and never null
    // (`handle.rs`, `struct Local`).
    (!value.is_null()).then(|| unsafe { std::mem::transmute::<Value, Local<'s, v8::Value>>(value) })
}
