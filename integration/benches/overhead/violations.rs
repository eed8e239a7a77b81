//! The path of a violation: a callback with no scope opened since its turn began. Its cost is the difference to the same callback in
//! a scope.

use crate::host::{function, host};
use crate::paired::{Sampled, paired, quantile};
use crate::row::Row;
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// The depths wanted. The table has the real depth of each stack, which includes the frames that start the thread.
const FRAMES: [usize; 3] = [8, 32, 127];

/// Violations at a known site: with stacks of several depths, with JavaScript on the stack, and from two threads.
pub fn known() -> Vec<Row> {
    let mut rows = Vec::new();
    for frames in FRAMES {
        let (frames, sampled) = on_a_thread(move || {
            host!(scope);
            at_depth(scope, frames, &mut clean_and_not)
        });
        rows.extend(pair(&format!("{frames} frames"), &sampled));
    }
    let (frames, sampled) = on_a_thread(|| {
        host!(scope);
        under_javascript(scope)
    });
    rows.extend(pair(
        &format!("{frames} frames, JavaScript among them"),
        &sampled,
    ));
    let sampled = from_two_threads();
    rows.extend(pair("32 frames, 2 threads at the same site", &sampled));
    rows
}

/// Violations at the known site of 32 frames, with a subscriber, which logged the first.
pub fn logged() -> Vec<Row> {
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
    let (frames, sampled) = on_a_thread(|| {
        host!(scope);
        at_depth(scope, 32, &mut clean_and_not)
    });
    let mut rows = pair(
        &format!("{frames} frames, logged to a subscriber"),
        &sampled,
    );
    for row in &mut rows {
        row.group = "violation".to_owned();
    }
    rows
}

/// Violations at new sites, and at new sites once the table is full.
pub fn new() -> Vec<Row> {
    on_a_thread(|| {
        host!(scope);
        let mut path = 0;
        let mut batch = |scope: &mut v8::PinScope<'_, '_>, times: u64| {
            let start = Instant::now();
            for _ in 0..times {
                path += 1;
                branch(scope, 20, path);
            }
            start.elapsed().as_nanos() as f64 / times as f64
        };
        // The first violation reads the unwind tables of the process.
        batch(scope, 1);
        let mut new: Vec<f64> = (0..50).map(|_| batch(scope, 10)).collect();
        // Fills the table.
        batch(scope, 1 << 14);
        let mut full: Vec<f64> = (0..50).map(|_| batch(scope, 100)).collect();
        let row = |line: &str, samples: &mut Vec<f64>| Row {
            low: quantile(samples, 0.25),
            high: quantile(samples, 0.75),
            ..Row::exact("violation", line, "ns", quantile(samples, 0.5))
        };
        vec![
            row("a new site, about 32 frames", &mut new),
            row("the site table full, about 32 frames", &mut full),
        ]
    })
}

fn pair(what: &str, sampled: &[Sampled]) -> Vec<Row> {
    vec![
        Row::paired(
            "violation",
            format!("the same callback, clean, {what}"),
            &sampled[0],
        ),
        Row::paired("violation", format!("at a known site, {what}"), &sampled[1]),
    ]
}

/// Runs on a new thread, whose stack is short.
fn on_a_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join().expect("a thread that ends"))
}

/// The callback in a scope opened since the turn began, and in none.
fn clean_and_not(scope: &mut v8::PinScope<'_, '_>) -> Vec<Sampled> {
    handleguard_v8::turn!(scope, "bench");
    paired(2, |line, times| match line {
        0 => {
            handleguard_v8::scope!(let scope, scope);
            bare(scope, times);
        }
        _ => bare(scope, times),
    })
}

#[inline(never)]
fn bare(scope: &mut v8::PinScope<'_, '_>, times: u64) {
    for _ in 0..times {
        let _callback = handleguard_v8::callback_guard(scope, "bare");
    }
}

type Measure<'a> = &'a mut dyn FnMut(&mut v8::PinScope<'_, '_>) -> Vec<Sampled>;

/// Runs `measure` where a violation has a stack of `frames` frames, or of the fewest possible if that is more. Returns how many.
fn at_depth(
    scope: &mut v8::PinScope<'_, '_>,
    frames: usize,
    measure: Measure<'_>,
) -> (usize, Vec<Sampled>) {
    let mut base = 0;
    nested(scope, 0, &mut |scope| {
        handleguard_v8::turn!(scope, "probe");
        bare(scope, 1);
        base = last_stack();
        Vec::new()
    });
    let more = frames.saturating_sub(base);
    let sampled = nested(scope, more, measure);
    (base + more, sampled)
}

#[inline(never)]
fn nested(scope: &mut v8::PinScope<'_, '_>, left: usize, measure: Measure<'_>) -> Vec<Sampled> {
    if left == 0 {
        return measure(scope);
    }
    black_box(nested(scope, left - 1, measure))
}

/// The number of frames of the newest site's stack.
fn last_stack() -> usize {
    let report = handleguard_v8::handleguard::report();
    let newest = report.sites().iter().max_by_key(|site| site.first());
    newest.map_or(0, |site| site.violation().trace().addresses().len())
}

thread_local! {
    static UNDER: RefCell<(usize, Vec<Sampled>)> = const { RefCell::new((0, Vec::new())) };
}

/// Measures in a native function that JavaScript calls.
fn under_javascript(scope: &mut v8::PinScope<'_, '_>) -> (usize, Vec<Sampled>) {
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let measured = at_depth(scope, 0, &mut clean_and_not);
        UNDER.with_borrow_mut(|under| *under = measured);
    }
    let call = function(scope, "(native) => { (() => native())(); }");
    let native = v8::Function::new(scope, native).expect("a function");
    let undefined = v8::undefined(scope).into();
    call.call(scope, undefined, &[native.into()]);
    UNDER.with_borrow_mut(std::mem::take)
}

fn from_two_threads() -> Vec<Sampled> {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                host!(scope);
                at_depth(scope, 32, &mut |scope| {
                    start.wait();
                    clean_and_not(scope)
                })
            })
        });
        let [first, _] = threads.map(|thread| thread.join().expect("a thread that ends"));
        first.1
    })
}

/// A violation with a stack of its own: each bit of `path` selects which of two functions calls on.
pub fn branch(scope: &mut v8::PinScope<'_, '_>, left: u32, path: u64) {
    match (left, path & 1) {
        (0, _) => {
            handleguard_v8::turn!(scope, "branch");
            bare(scope, 1);
        }
        (_, 0) => even(scope, left - 1, path >> 1),
        _ => odd(scope, left - 1, path >> 1),
    }
}

#[inline(never)]
fn even(scope: &mut v8::PinScope<'_, '_>, left: u32, path: u64) {
    branch(scope, left, path);
    black_box(0);
}

#[inline(never)]
fn odd(scope: &mut v8::PinScope<'_, '_>, left: u32, path: u64) {
    branch(scope, left, path);
    black_box(1);
}
