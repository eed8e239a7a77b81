//! The clean path: a scope, a callback, a turn.

use crate::host::{function, host};
use crate::paired::{Sampled, paired};
use crate::row::Row;
use handleguard_v8::GuardedFunction;
use std::hint::black_box;
use std::sync::Barrier;

/// Opens and closes a scope inside 1, 8 and 64 others, on one thread and on two with an isolate each.
pub fn scope() -> Vec<Row> {
    let mut rows = Vec::new();
    for threads in [1, 2] {
        for depth in [1, 8, 64] {
            let sampled = on_threads(threads, || {
                host!(scope);
                let mut sampled = Vec::new();
                let barrier = Barrier::new(1);
                handleguard_v8::turn!(scope, "bench");
                nested(scope, depth, &mut |scope| {
                    barrier.wait();
                    sampled = paired(2, |line, times| match line {
                        0 => {
                            for _ in 0..times {
                                v8::scope!(let inner, scope);
                                black_box(inner);
                            }
                        }
                        _ => {
                            for _ in 0..times {
                                handleguard_v8::scope!(let inner, scope);
                                black_box(inner);
                            }
                        }
                    });
                });
                sampled
            });
            let at = format!(
                "depth {depth}, {threads} thread{}",
                if threads == 1 { "" } else { "s" }
            );
            rows.push(Row::paired(
                "scope",
                format!("v8::scope!, {at}"),
                &sampled[0],
            ));
            rows.push(Row::paired("scope", format!("scope!, {at}"), &sampled[1]));
        }
    }
    rows
}

fn nested(
    scope: &mut v8::PinScope<'_, '_>,
    left: u32,
    run: &mut dyn FnMut(&mut v8::PinScope<'_, '_>),
) {
    if left == 1 {
        return run(scope);
    }
    handleguard_v8::scope!(let scope, scope);
    nested(scope, left - 1, run);
}

/// The samples of the first thread, while the others run the same code.
fn on_threads(threads: usize, run: impl Fn() -> Vec<Sampled> + Sync) -> Vec<Sampled> {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    run()
                })
            })
            .collect();
        let mut all = all
            .into_iter()
            .map(|thread| thread.join().expect("a thread that ends"));
        let first = all.next().expect("one thread at least");
        all.for_each(drop);
        first
    })
}

/// Calls in one plain scope, which releases their handles.
const CALLS: u64 = 128;

/// Calls an empty function in a scope opened since the turn began.
pub fn callback() -> Vec<Row> {
    host!(scope);
    let empty = function(scope, "function empty() {}");
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    handleguard_v8::turn!(scope, "bench");
    handleguard_v8::scope!(let scope, scope);
    let sampled = paired(2, |line, times| {
        let mut left = times;
        while left > 0 {
            v8::scope!(let scope, scope);
            let calls = left.min(CALLS);
            left -= calls;
            match line {
                0 => {
                    for _ in 0..calls {
                        black_box(empty.call(scope, undefined, &[]));
                    }
                }
                _ => {
                    for _ in 0..calls {
                        black_box(empty.guarded_call(scope, undefined, &[]));
                    }
                }
            }
        }
    });
    vec![
        Row::paired("callback", "Function::call", &sampled[0]),
        Row::paired("callback", "guarded_call", &sampled[1]),
    ]
}

/// Begins and ends a turn. Compared to a plain scope, because there is no plain turn.
pub fn turn() -> Vec<Row> {
    host!(scope);
    let sampled = paired(2, |line, times| match line {
        0 => {
            for _ in 0..times {
                v8::scope!(let inner, scope);
                black_box(inner);
            }
        }
        _ => {
            for _ in 0..times {
                handleguard_v8::turn!(scope, "bench");
                black_box(&mut *scope);
            }
        }
    });
    vec![
        Row::paired("turn", "v8::scope!", &sampled[0]),
        Row::paired("turn", "turn!", &sampled[1]),
    ]
}

/// The handles of a block (`handle-scope-implementer.h`, `kHandleBlockSize`).
const BLOCK: u64 = 1022;

/// Blocks in one plain scope, which gives them back.
const BLOCKS: u64 = 64;

/// Makes `handles` handles in the innermost scope.
fn fill(scope: &mut v8::PinScope<'_, '_>, handles: u64) {
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    for _ in 0..handles {
        black_box(v8::Local::new(scope, undefined));
    }
}

/// Opens a scope of 3 handles in the middle of one of V8's blocks, and where a block begins in it; and fills a scope that stays
/// open, where each block is a sample of the handle profile.
pub fn block() -> Vec<Row> {
    host!(scope);
    v8::scope!(let scope, scope);
    let held = handleguard_v8::handles(scope).expect("a V8 that counts its handles");
    // So that one more handle of a scope fills a block.
    let to_edge = BLOCK - 1 - held % BLOCK;
    let three = |scope: &mut v8::PinScope<'_, '_>, times: u64| {
        for _ in 0..times {
            v8::scope!(let inner, scope);
            fill(inner, 3);
        }
    };
    let sampled = paired(3, |line, times| {
        let mut left = times;
        while left > 0 {
            v8::scope!(let scope, scope);
            let now = match line {
                2 => left.min(BLOCKS),
                _ => left,
            };
            left -= now;
            match line {
                0 => three(scope, now),
                1 => {
                    fill(scope, to_edge);
                    three(scope, now);
                }
                _ => fill(scope, now * BLOCK),
            }
        }
    });
    vec![
        Row::paired("block", "a scope of 3 handles", &sampled[0]),
        Row::paired("block", "a scope of 3 handles, a block begins", &sampled[1]),
        Row::paired(
            "block",
            "1,022 handles of a scope that stays open",
            &sampled[2],
        ),
    ]
}
