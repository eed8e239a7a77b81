//! Loops that `.ci/cost` counts and disassembles, and does not time. Each function here is called once, after a warm-up that does
//! not use it.

use crate::host::{function, host};
use crate::row::Row;
use handleguard_v8::GuardedFunction;
use std::hint::black_box;

/// Iterations of each loop.
pub const TIMES: u64 = 1000;

type Scope<'a, 's, 'i> = &'a mut v8::PinScope<'s, 'i>;

macro_rules! scopes {
    ($scope: ident, $times: expr, $open: path) => {
        for _ in 0..$times {
            $open!(let inner, $scope);
            black_box(inner);
        }
    };
}

#[unsafe(no_mangle)]
#[inline(never)]
fn overhead_plain_scopes(scope: Scope) {
    scopes!(scope, TIMES, v8::scope);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn overhead_guarded_scopes(scope: Scope) {
    scopes!(scope, TIMES, handleguard_v8::scope);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn overhead_plain_calls(scope: Scope, empty: v8::Local<v8::Function>, this: v8::Local<v8::Value>) {
    for _ in 0..TIMES {
        black_box(empty.call(scope, this, &[]));
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
fn overhead_guarded_calls(
    scope: Scope,
    empty: v8::Local<v8::Function>,
    this: v8::Local<v8::Value>,
) {
    for _ in 0..TIMES {
        black_box(empty.guarded_call(scope, this, &[]));
    }
}

/// Calls each of them. The row is the number of iterations of each loop.
pub fn counted() -> Vec<Row> {
    // No count then depends on when V8 compiles a function, or on which thread.
    v8::V8::set_flags_from_string("--jitless --single-threaded");
    host!(scope);
    let empty = function(scope, "function empty() {}");
    let this: v8::Local<v8::Value> = v8::undefined(scope).into();
    handleguard_v8::turn!(scope, "bench");
    handleguard_v8::scope!(let scope, scope);
    scopes!(scope, 10, handleguard_v8::scope);
    {
        v8::scope!(let scope, scope);
        for _ in 0..10 {
            black_box(empty.guarded_call(scope, this, &[]));
        }
    }
    overhead_plain_scopes(scope);
    overhead_guarded_scopes(scope);
    {
        v8::scope!(let scope, scope);
        overhead_plain_calls(scope, empty, this);
    }
    {
        v8::scope!(let scope, scope);
        overhead_guarded_calls(scope, empty, this);
    }
    vec![Row::exact("counted", "each loop", "times", TIMES as f64)]
}
