//! Two bugs that real add-ons had.

#[path = "../src/api.rs"]
mod api;

use api::Api;
use std::ptr;

/// Calls into JavaScript with no scope of its own, so the handles stay in the host's.
#[unsafe(no_mangle)]
unsafe extern "C" fn on_timer(api: *const Api) {
    let (mut function, mut argument, mut result) = (ptr::null(), ptr::null(), ptr::null());
    // SAFETY: `host` is the host's table, which is valid during the call.
    unsafe {
        let api = &*api;
        (api.function)(api.host, c"onTimer".as_ptr(), &raw mut function);
        (api.string)(api.host, c"bad_rust".as_ptr(), 8, &raw mut argument);
        (api.call)(api.host, function, argument, &raw mut result);
    }
}

/// Makes a handle that nobody uses, in the host's scope.
#[unsafe(no_mangle)]
unsafe extern "C" fn on_close(api: *const Api) {
    let mut forgotten = ptr::null();
    // SAFETY: `host` is the host's table, which is valid during the call.
    unsafe { ((*api).string)((*api).host, c"bad_rust".as_ptr(), 8, &raw mut forgotten) };
}
