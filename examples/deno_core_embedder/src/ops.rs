use crate::leak::op_worker_run;
use deno_core::{op2, v8};
use std::cell::Cell;

thread_local! {
    static DONE: Cell<u64> = const { Cell::new(0) };
}

/// Ops called so far.
pub fn done() -> u64 {
    DONE.get()
}

fn count() {
    DONE.set(DONE.get() + 1);
}

/// Called directly by V8's compiled code once that is hot, without a scope.
#[op2(fast)]
fn op_sum(left: u32, right: u32) -> u32 {
    count();
    left.wrapping_add(right)
}

#[op2]
#[string]
fn op_greet(#[string] name: &str) -> String {
    count();
    format!("hello, {name}")
}

/// Completes in a later turn of the event loop.
#[op2]
async fn op_later(value: u32) -> u32 {
    count();
    tokio::task::yield_now().await;
    value
}

/// Calls back into JavaScript, in the scope that V8 opened for this function.
#[op2(nofast, reentrant)]
fn op_apply<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    function: v8::Local<'s, v8::Function>,
    value: u32,
) -> u32 {
    count();
    let receiver = v8::undefined(scope).into();
    let value = v8::Integer::new_from_unsigned(scope, value).into();
    function
        .call(scope, receiver, &[value])
        .and_then(|result| result.uint32_value(scope))
        .unwrap_or_default()
}

deno_core::extension!(
    embedder,
    ops = [op_sum, op_greet, op_later, op_apply, op_worker_run]
);
