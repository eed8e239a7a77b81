//! The bug of SpacetimeDB #4746: a JavaScript worker that opens one handle scope for its whole life, and serves every request
//! in it, so that no handle of a request is released before the worker ends.

use deno_core::{op2, v8};

/// Serves `requests` requests, each with a call of `reducer`.
#[op2(nofast, reentrant)]
pub fn op_worker_run<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    reducer: v8::Local<'s, v8::Function>,
    requests: u32,
) {
    v8::scope!(let scope, scope);
    for request in 0..requests {
        while v8::Platform::pump_message_loop(&v8::V8::get_current_platform(), scope, false) {}
        let receiver = v8::undefined(scope).into();
        let request = v8::Integer::new_from_unsigned(scope, request).into();
        reducer.call(scope, receiver, &[request]);
    }
}
