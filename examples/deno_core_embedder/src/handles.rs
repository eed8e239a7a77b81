//! V8's own count of handles, which shows independently of handleguard whether any are left.

use deno_core::v8;
use std::ffi::{c_int, c_void};

unsafe extern "C" {
    #[link_name = "_ZN2v811HandleScope15NumberOfHandlesEPNS_7IsolateE"]
    fn number_of_handles(isolate: *mut c_void) -> c_int;
}

/// Handles alive in all open scopes of the isolate.
pub fn alive(isolate: &mut v8::OwnedIsolate) -> c_int {
    // SAFETY: `UnsafeRawIsolatePtr` is a transparent wrapper of the isolate's address (`isolate.rs`), and the isolate is live
    // and this thread's; V8 only counts.
    unsafe {
        let isolate = std::mem::transmute::<v8::UnsafeRawIsolatePtr, *mut c_void>(
            isolate.as_raw_isolate_ptr(),
        );
        number_of_handles(isolate)
    }
}
