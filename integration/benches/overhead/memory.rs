//! Allocations, and memory that stays allocated.

use crate::allocations::{calls, live};
use crate::host::{function, host};
use crate::row::Row;
use crate::violations::branch;
use handleguard_v8::GuardedFunction;
use std::hint::black_box;

const TIMES: u64 = 1_000_000;

/// Allocations of the clean path and at a known site, a million times each.
pub fn allocations() -> Vec<Row> {
    host!(scope);
    let empty = function(scope, "function empty() {}");
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    let mut rows = Vec::new();
    let mut count = |line: &str, run: &mut dyn FnMut(u64)| {
        // The first round may allocate a stack and a site. Both rounds come from one call, or they would be two sites.
        let mut rounds = vec![TIMES, 100];
        let mut allocated = 0;
        while let Some(times) = black_box(&mut rounds).pop() {
            let before = calls();
            run(times);
            allocated = calls() - before;
        }
        rows.push(Row::exact("allocations", line, "in 10^6", allocated as f64));
    };
    count("scope!, turn! and guarded_call", &mut |times| {
        for _ in 0..times {
            handleguard_v8::turn!(scope, "bench");
            handleguard_v8::scope!(let scope, scope);
            black_box(empty.guarded_call(scope, undefined, &[]));
        }
    });
    count("a violation at a known site", &mut |times| {
        for _ in 0..times {
            handleguard_v8::turn!(scope, "bench");
            let _callback = handleguard_v8::callback_guard(scope, "bare");
        }
    });
    rows
}

/// Memory that a million violations at one site hold.
pub fn one_site() -> Vec<Row> {
    held("10^6 violations at one site", |scope| {
        for _ in 0..TIMES {
            handleguard_v8::turn!(scope, "bench");
            let _callback = handleguard_v8::callback_guard(scope, "bare");
        }
    })
}

/// Memory that a million violations hold, each with a different stack.
pub fn many_stacks() -> Vec<Row> {
    held("10^6 violations with distinct stacks", |scope| {
        for path in 0..TIMES {
            branch(scope, 100, path);
        }
    })
}

fn held(line: &str, run: impl FnOnce(&mut v8::PinScope<'_, '_>)) -> Vec<Row> {
    // Includes the site table, which the first guard allocates. V8's own memory is not on this heap.
    let heap_before = live();
    host!(scope);
    let resident_before = resident("VmRSS:");
    run(scope);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let heap = mib(live().saturating_sub(heap_before));
    let resident = mib(resident("VmRSS:").saturating_sub(resident_before));
    let report = handleguard_v8::handleguard::report();
    assert_eq!(report.violations(), TIMES, "as many as there were");
    vec![
        Row::exact("memory", format!("{line}: heap"), "MiB", heap),
        Row::exact("memory", format!("{line}: resident"), "MiB", resident),
        Row::exact(
            "memory",
            format!("{line}: counted and dropped"),
            "",
            report.dropped() as f64,
        ),
    ]
}

/// A field of the status of this process in bytes, such as its resident memory, `VmRSS:` (`proc(5)`).
pub fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
