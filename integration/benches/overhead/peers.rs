//! What other ways to make the same observations cost, on the same machine in the same run.

use crate::host::host;
use crate::paired::{paired, rounds};
use crate::row::Row;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::time::Duration;

unsafe extern "C" {
    /// `SealHandleScope::SealHandleScope(Isolate*)` and its destructor (`v8-local-handle.h`); three words are enough.
    #[link_name = "_ZN2v815SealHandleScopeC1EPNS_7IsolateE"]
    fn seal(this: *mut [usize; 4], isolate: *mut c_void);
    #[link_name = "_ZN2v815SealHandleScopeD1Ev"]
    fn unseal(this: *mut [usize; 4]);
    #[link_name = "_ZN2v811HandleScope15NumberOfHandlesEPNS_7IsolateE"]
    fn number_of_handles(isolate: *mut c_void) -> c_int;
    fn v8__Isolate__GetCurrent() -> *mut c_void;
}

pub fn peers() -> Vec<Row> {
    host!(scope);
    // SAFETY: reads a thread-local of V8.
    let isolate = unsafe { v8__Isolate__GetCurrent() };
    let mut rows = Vec::new();

    let names = [
        "v8::scope!",
        "SealHandleScope",
        "NumberOfHandles",
        "tracing event, no subscriber",
    ];
    let sampled = paired(names.len(), |line, times| match line {
        0 => {
            for _ in 0..times {
                v8::scope!(let inner, scope);
                black_box(inner);
            }
        }
        1 => {
            for _ in 0..times {
                let mut buffer = [0; 4];
                // SAFETY: the isolate is live and entered, and the seal is undone in reverse order.
                unsafe {
                    seal(&raw mut buffer, isolate);
                    unseal(&raw mut buffer);
                }
            }
        }
        2 => {
            for _ in 0..times {
                // SAFETY: the isolate is live and entered.
                black_box(unsafe { number_of_handles(isolate) });
            }
        }
        _ => {
            for number in 0..times {
                tracing::error!(number, "scope");
            }
        }
    });
    rows.extend(
        names
            .iter()
            .zip(&sampled)
            .map(|(name, sampled)| Row::paired("peers", *name, sampled)),
    );

    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::sink)
        .finish();
    let names = [
        "v8::scope!",
        "tracing event, JSON to a sink",
        "backtrace::trace_unsynchronized, 32 frames",
        "Backtrace::new_unresolved, 32 frames",
        "std::backtrace, 32 frames",
    ];
    let sampled = tracing::subscriber::with_default(subscriber, || {
        deep(24, &mut || {
            let mut run = |line, times| match line {
                0 => {
                    for _ in 0..times {
                        v8::scope!(let inner, scope);
                        black_box(inner);
                    }
                }
                1 => {
                    for number in 0..times {
                        tracing::error!(number, "scope");
                    }
                }
                2 => {
                    for _ in 0..times {
                        let mut frames = 0;
                        // SAFETY: needs other threads kept out on Windows only.
                        unsafe {
                            backtrace::trace_unsynchronized(|frame| {
                                black_box(frame.ip());
                                frames += 1;
                                frames < 32
                            });
                        }
                    }
                }
                3 => {
                    for _ in 0..times {
                        black_box(backtrace::Backtrace::new_unresolved());
                    }
                }
                _ => {
                    for _ in 0..times {
                        let _ = black_box(std::backtrace::Backtrace::force_capture());
                    }
                }
            };
            rounds(names.len(), 51, Duration::from_micros(500), &mut run)
        })
    });
    rows.extend(
        names
            .iter()
            .zip(&sampled)
            .skip(1)
            .map(|(name, sampled)| Row::paired("peers", *name, sampled)),
    );
    rows
}

#[inline(never)]
fn deep<T>(left: u32, run: &mut dyn FnMut() -> T) -> T {
    if left == 0 {
        return run();
    }
    black_box(deep(left - 1, run))
}
