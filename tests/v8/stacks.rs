//! A stack from the callback out to the host, through native, engine and JavaScript frames.

use handleguard_tests::{HOW_STACKS_ARE_SEEN, child, function, host, is_child, normal};
use handleguard_v8::handleguard::{self, FrameKind, Trace};
use handleguard_v8::{GuardedFunction, scope, testing, turn};

/// A leak in a nested loop, in a native function that JavaScript calls, as `(outer) => inner => native`.
#[inline(never)]
fn leak_under_javascript(
    scope: &mut v8::PinScope,
    outer: v8::Local<v8::Function>,
    args: &[v8::Local<v8::Value>],
) {
    turn!(scope, "loop");
    scope!(let scope, scope);
    let undefined = v8::undefined(scope).into();
    outer.guarded_call(scope, undefined, args);
}

/// Passes that leak to `leaks`, after `warm_up` calls without a leak.
fn with_leak(warm_up: u32, leaks: impl FnOnce(&mut dyn FnMut()) -> Trace) -> Trace {
    host!(scope, context);
    let outer = function(
        scope,
        "function outer(native, leak) {\n  function inner() {\n    return native(leak);\n  }\n  return inner();\n}",
    );
    let native = v8::Function::new(scope, nested_loop).unwrap();
    let leak: v8::Local<v8::Value> = function(scope, "function leak() {}").into();
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    for _ in 0..warm_up {
        v8::scope!(let scope, scope);
        outer.call(scope, undefined, &[native.into(), undefined]);
    }
    leaks(&mut || leak_under_javascript(scope, outer, &[native.into(), leak]))
}

/// The stack of the one violation of `leak`, as tests collect it.
fn collected(leak: &mut dyn FnMut()) -> Trace {
    let mut violations = testing::run(leak).violations;
    assert_eq!(violations.len(), 1);
    violations.remove(0).trace().clone()
}

/// The stack of the one site of several leaks, as it is counted in production.
fn counted(leak: &mut dyn FnMut()) -> Trace {
    for _ in 0..std::hint::black_box(3) {
        leak();
    }
    let report = handleguard::report();
    assert_eq!(report.sites().len(), 1, "{report}");
    assert_eq!(report.sites()[0].count(), 3);
    report.sites()[0].violation().trace().clone()
}

fn nested_loop(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
    if let Ok(callback) = v8::Local::<v8::Function>::try_from(args.get(0)) {
        turn!(scope, "nested loop");
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[]);
    }
}

/// The stack as it is shown, from the native function to the test's own, without the paths of native files, and without the number of
/// folded frames, which is smaller in a release build.
fn shown(trace: &Trace) -> String {
    let text = trace.to_string();
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.contains("at ") && line.contains(".rs:") {
            continue;
        }
        let line = line.trim();
        let folded = line.strip_suffix(" frames of V8)").is_some();
        let closure = line.ends_with("{{closure}}");
        if closure {
            // A frame of its own, or inlined.
            continue;
        }
        lines.push(if folded { "(... frames of V8)" } else { line });
        if line.contains("leak_under_javascript") {
            break;
        }
    }
    lines.join("\n")
}

const MIXED: &str = "\
0: v8::stacks::nested_loop
(... frames of V8)
1: inner [JavaScript]
at handlers.js:3:12
2: outer [JavaScript]
at handlers.js:5:10
(... frames of V8)
3: v8::stacks::leak_under_javascript";

#[test]
fn a_leak_called_from_javascript_shows_one_stack_down_to_the_host() {
    let trace = with_leak(0, collected);
    println!("{trace}");
    assert_eq!(shown(&trace), MIXED);
    assert!(!trace.is_truncated());
}

/// Runs in a build with frame pointers and in one without (`.ci/frame-pointers`). In the former, handleguard would print that it gave
/// them up if they had not led through JavaScript as the tables do.
#[test]
fn a_site_under_javascript_is_counted_once_and_shown_whole() {
    if is_child() {
        assert_eq!(shown(&with_leak(0, counted)), MIXED);
        return;
    }
    let output = child(
        "stacks::a_site_under_javascript_is_counted_once_and_shown_whole",
        "count",
    );
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("; sees stacks ({HOW_STACKS_ARE_SEEN}), ")));
    assert!(!said.contains("from now on"));
}

#[test]
fn frames_of_optimised_javascript_are_crossed_and_named_too() {
    // Enough for V8's optimising compiler, which inlines `inner` into `outer`.
    let trace = with_leak(200_000, collected);
    println!("{trace}");
    let frames = trace.frames();
    let script: Vec<&str> = frames
        .iter()
        .filter(|frame| frame.kind == FrameKind::Script)
        .map(|frame| frame.function.as_str())
        .collect();
    assert_eq!(script, ["inner", "outer"]);
    let at = |name: &str| {
        frames
            .iter()
            .position(|frame| frame.function.contains(name))
            .unwrap_or_else(|| panic!("no `{name}`: {trace}"))
    };
    assert!(at("nested_loop") < at("inner"));
    assert!(at("outer") < at("leak_under_javascript"));
}

#[test]
fn a_folded_stack_is_one_line_from_the_host_in() {
    let folded = with_leak(0, collected).folded();
    let mut names = folded.split(';');
    for expected in ["leak_under_javascript", "outer", "inner", "nested_loop"] {
        assert!(
            names.any(|name| name.contains(expected)),
            "no `{expected}` in its place: {folded}"
        );
    }
    assert!(!folded.contains("Builtins_"), "{folded}");
}

/// Replaces what differs between machines and edits: the address, the line numbers of this file, and the number of V8's frames.
fn normalised(report: &str) -> String {
    let report = normal::label(&normal::lines(report), "isolate", "<address>");
    let lines = report.lines().map(|line| {
        let is_folded = line.ends_with(" frames of V8)");
        if is_folded {
            "           (... frames of V8)"
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

const WHOLE: &str = "\
handleguard: missing-scope: callback `v8::stacks::nested_loop` at tests/v8/stacks.rs:LL:CC started with no HandleScope opened since \
the turn began; its handles stay in the engine's own HandleScope in callback `v8::stacks::leak_under_javascript` at tests/v8/stacks.rs:LL:CC
      callback: `v8::stacks::nested_loop` at tests/v8/stacks.rs:LL:CC
         calls: leak (handlers.js:1:15)
  swallowed by: a HandleScope that the engine opened around native code, in callback `v8::stacks::leak_under_javascript` at tests/v8/stacks.rs:LL:CC
          turn: #2 `nested loop` at tests/v8/stacks.rs:LL:CC
        thread: stacks::a_leak_called_from_javascript_is_reported_whole
       isolate: <address>
          rule: missing-scope=abort
          help: open a scope in `v8::stacks::nested_loop` before its first handle: `handleguard_v8::scope!(let scope, scope);`
     backtrace (at the start of the callback):
        0: v8::stacks::nested_loop
             at v8/stacks.rs:LL
           (... frames of V8)
        1: inner [JavaScript]
             at handlers.js:3:12
        2: outer [JavaScript]
             at handlers.js:5:10
           (... frames of V8)
        3: v8::stacks::leak_under_javascript
             at v8/stacks.rs:LL
        4: v8::stacks::with_leak::{{closure}}
             at v8/stacks.rs:LL
        5: v8::stacks::a_leak_called_from_javascript_is_reported_whole::{{closure}}
             at v8/stacks.rs:LL
        6: v8::stacks::with_leak
             at v8/stacks.rs:LL
        7: v8::stacks::a_leak_called_from_javascript_is_reported_whole
             at v8/stacks.rs:LL
        8: v8::stacks::a_leak_called_from_javascript_is_reported_whole::{{closure}}
             at v8/stacks.rs:LL";

#[test]
fn a_leak_called_from_javascript_is_reported_whole() {
    if is_child() {
        with_leak(0, |leak| {
            leak();
            unreachable!("the leak aborts");
        });
    }
    let report = |directives| {
        let output = child(
            "stacks::a_leak_called_from_javascript_is_reported_whole",
            directives,
        );
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let at = stderr.find("handleguard: missing-scope").expect("a report");
        stderr[at..].to_owned()
    };
    assert_eq!(normalised(&report("abort")), WHOLE);

    // Down to where the thread starts, with every frame that is folded or left out above.
    let full = report("abort,full-stack");
    let mut rest = full.as_str();
    for frame in [
        ": v8::stacks::nested_loop\n",
        ": Builtins_CallApiCallback",
        ": inner [JavaScript]\n             at handlers.js:3:12\n",
        ": outer [JavaScript]\n             at handlers.js:5:10\n",
        ": Builtins_JSEntry\n",
        ": v8::Function::Call(",
        ": v8::stacks::leak_under_javascript\n",
        ": v8::stacks::a_leak_called_from_javascript_is_reported_whole\n",
        ": test::run_test",
        ": std::thread::",
        ": start_thread [libc.so",
    ] {
        let at = rest.find(frame);
        let at = at.unwrap_or_else(|| panic!("no `{frame}` in its place: {full}"));
        rest = &rest[at..];
    }
}

/// Returns a number of `/proc/self/status`, in KiB.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// This program has more than 100 MB, most of which is debug information.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn naming_a_stack_in_a_large_program_takes_a_few_mib_and_keeps_one() {
    if is_child() {
        let trace = with_leak(0, counted);
        // Forgets the highest value.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let text = trace.to_string();
        let peak = status("VmHWM:").saturating_sub(before);
        let kept = status("VmRSS:").saturating_sub(before);
        println!(
            "{} frames: peak {peak} KiB, kept {kept} KiB",
            trace.addresses().len()
        );
        assert!(text.contains("leak_under_javascript"), "{text}");
        assert!(peak < 8 << 10, "{peak} KiB");
        assert!(kept < 4 << 10, "{kept} KiB");
        return;
    }
    let output = child(
        "stacks::naming_a_stack_in_a_large_program_takes_a_few_mib_and_keeps_one",
        "count,tick=0",
    );
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}");
}
