//! Each handler opens a scope of its own around everything that it does.

#[path = "../src/api.rs"]
mod api;

use api::{Api, Scope, Status};
use std::ffi::CStr;
use std::ptr;

struct Open<'a>(&'a Api, Scope);

impl<'a> Open<'a> {
    fn new(api: &'a Api) -> Self {
        let mut scope = 0;
        // SAFETY: a function of the host's table, which is valid during the call.
        unsafe { (api.open_scope)(api.host, &raw mut scope) };
        Self(api, scope)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // SAFETY: a function of the host's table, which is valid during the call.
        unsafe { (self.0.close_scope)(self.0.host, self.1) };
    }
}

fn call(api: &Api, name: &CStr, text: &str) {
    let (mut function, mut argument, mut result) = (ptr::null(), ptr::null(), ptr::null());
    // SAFETY: functions of the host's table, which is valid during the call; the strings outlive the call.
    unsafe {
        let Status::Ok = (api.function)(api.host, name.as_ptr(), &raw mut function) else {
            return;
        };
        (api.string)(api.host, text.as_ptr().cast(), text.len(), &raw mut argument);
        (api.call)(api.host, function, argument, &raw mut result);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn on_timer(api: *const Api) {
    // SAFETY: `host` is the host's table, which is valid during the call.
    let api = unsafe { &*api };
    let _scope = Open::new(api);
    call(api, c"onTimer", "good_rust");
}

#[unsafe(no_mangle)]
unsafe extern "C" fn on_close(api: *const Api) {
    // SAFETY: `host` is the host's table, which is valid during the call.
    let api = unsafe { &*api };
    let _outer = Open::new(api);
    let _inner = Open::new(api);
    call(api, c"onClose", "good_rust");
}
