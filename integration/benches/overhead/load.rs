//! A host that violates rules in every way that could cost memory: stacks and scripts without end, long names, deep JavaScript.

use crate::allocations::live;
use crate::host::host;
use crate::memory::resident;
use crate::row::Row;
use crate::violations::branch;
use handleguard_v8::handleguard;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Resident memory after the load, and the most at any time during it. Of interest is the difference between `log` and `off`.
pub fn memory() -> Vec<Row> {
    let mut path = 0;
    host!(scope);
    for _ in 0..20 {
        round(scope, &mut path);
    }
    scope.low_memory_notification();
    handleguard::flush(Duration::from_secs(60));
    let mib = |field| resident(field) as f64 / f64::from(1 << 20);
    let (now, most) = (mib("VmRSS:"), mib("VmHWM:"));
    // What the operator asks for names the stacks of all sites.
    black_box(handleguard::report().to_string());
    vec![
        Row::exact("memory", "a load of every kind: resident", "MiB", now),
        Row::exact("memory", "a load of every kind: at most", "MiB", most),
        Row::exact(
            "memory",
            "a load of every kind: resident after a report",
            "MiB",
            mib("VmRSS:"),
        ),
    ]
}

/// Runs the load on two threads for so many minutes. Prints after each what is resident while both rest, their garbage collected.
pub fn soak(minutes: u64) {
    let start = Instant::now();
    let rest = Barrier::new(3);
    let in_v8 = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (rest, in_v8) = (&rest, &in_v8);
            scope.spawn(move || {
                host!(scope);
                let mut path = thread << 32;
                for minute in 1..=minutes {
                    let end = start + Duration::from_secs(60 * minute);
                    while Instant::now() < end {
                        round(scope, &mut path);
                        // V8 keeps what it compiled, with its name, until memory is short.
                        scope.low_memory_notification();
                    }
                    // V8 frees pages on threads of its own, some time after a collection.
                    std::thread::sleep(Duration::from_secs(1));
                    scope.low_memory_notification();
                    std::thread::sleep(Duration::from_secs(1));
                    let statistics = scope.get_heap_statistics();
                    in_v8.fetch_add(
                        statistics.total_physical_size() + statistics.malloced_memory(),
                        Ordering::Relaxed,
                    );
                    rest.wait();
                    rest.wait();
                }
            });
        }
        for minute in 1..=minutes {
            rest.wait();
            handleguard::flush(Duration::from_secs(60));
            println!(
                "minute {minute}: {} KiB resident, {} KiB on Rust's heap, {} KiB physical in V8",
                resident("VmRSS:") / 1024,
                live() / 1024,
                in_v8.swap(0, Ordering::Relaxed) / 1024
            );
            rest.wait();
        }
    });
    let report = handleguard::report();
    println!(
        "{} violations, {} of them without room at {} sites",
        report.violations(),
        report.dropped(),
        report.cost().room()
    );
}

/// A thousand new stacks, code that is compiled anew, and names of a megabyte.
fn round(scope: &mut v8::PinScope<'_, '_>, path: &mut u64) {
    for _ in 0..1000 {
        branch(scope, 40, *path);
        *path += 1;
    }
    v8::scope!(let scope, scope);
    let short = v8::String::new(scope, "app.js").expect("a string");
    for _ in 0..10 {
        compiled_anew(scope, *path, short, 1);
        *path += 1;
    }
    for depth in [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100] {
        let long = long_name(scope, *path);
        compiled_anew(scope, *path, long, depth);
        *path += 1;
    }
}

/// A name of a megabyte, like no other. Made by V8: strings of that size would scatter the memory of the C library.
fn long_name<'s>(scope: &v8::PinScope<'s, '_>, number: u64) -> v8::Local<'s, v8::String> {
    let mut name = v8::String::new(scope, "data:text/javascript,x").expect("a string");
    while name.length() < 1 << 20 {
        name = v8::String::concat(scope, name, name).expect("a string");
    }
    let end = v8::String::new(scope, &number.to_string()).expect("a string");
    v8::String::concat(scope, name, end).expect("a string")
}

/// A violation below `depth` frames of a script of that name, whose functions no other script has.
fn compiled_anew(
    scope: &mut v8::PinScope<'_, '_>,
    number: u64,
    name: v8::Local<'_, v8::String>,
    depth: u32,
) {
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        branch(scope, 1, 0);
    }
    v8::scope!(let scope, scope);
    let source = format!(
        "(function outer{number}(native, depth) {{ return depth > 1 ? outer{number}(native, depth - 1) : native(); }})"
    );
    let string = |text: &str| v8::String::new(scope, text).expect("a string");
    let origin = v8::ScriptOrigin::new(
        scope,
        name.into(),
        0,
        0,
        false,
        0,
        None,
        false,
        false,
        false,
        None,
    );
    let script = v8::Script::compile(scope, string(&source), Some(&origin)).expect("a script");
    let outer: v8::Local<v8::Function> = script
        .run(scope)
        .expect("a function")
        .try_into()
        .expect("a function");
    let native = v8::Function::new(scope, native).expect("a function");
    let depth = v8::Integer::new_from_unsigned(scope, depth);
    let undefined = v8::undefined(scope).into();
    outer.call(scope, undefined, &[native.into(), depth.into()]);
}
