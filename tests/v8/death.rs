//! Tests that end their process or need one of their own: each runs itself again as a child.

use handleguard_tests::{SIGABRT, child, function, host, is_child, normal, start_v8};
use handleguard_v8::{GuardedFunction, make_callback, scope, turn};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Replaces what differs between machines and edits: addresses, lines, the thread of the test and the frames of its harness.
fn normalised(text: &str) -> String {
    let text = normal::label(&normal::lines(text), "isolate", "<address>");
    let text = normal::label(&normal::handles_alive(&text), "thread", "<thread>");
    let mut lines = Vec::new();
    let mut in_backtrace = false;
    for line in text.lines() {
        let (_, value) = line.split_once(": ").unwrap_or((line, ""));
        if in_backtrace {
            if value.contains("death::on_close") || value.contains("death::bug_phase") {
                lines.push(format!("      <frame>: {value}"));
            }
            continue;
        }
        in_backtrace = line.trim().starts_with("backtrace (");
        lines.push(line.to_owned());
    }
    lines.join("\n")
}

#[inline(never)]
fn on_close(scope: &mut v8::PinScope, callback: v8::Local<v8::Function>) {
    let process = v8::Object::new(scope);
    make_callback(scope, "on_close", process, callback, &[]);
}

#[inline(never)]
fn bug_phase() {
    host!(scope, context);
    let callback = function(scope, "function onClose() {}");
    for _ in 0..3 {
        turn!(scope, "event loop");
        on_close(scope, callback);
    }
}

const ABORTED: &str = "\
handleguard: missing-scope: callback `on_close` at tests/v8/death.rs:LL:CC started with no HandleScope opened \
since the turn began; its handles stay in the HandleScope `v8::death::bug_phase` at tests/v8/death.rs:LL:CC
      callback: `on_close` at tests/v8/death.rs:LL:CC
         calls: onClose (handlers.js:1:18)
  swallowed by: HandleScope #1 `v8::death::bug_phase` at tests/v8/death.rs:LL:CC, opened 1 turn ago; <n> handles alive now
          turn: #1 `event loop` at tests/v8/death.rs:LL:CC
        thread: <thread>
       isolate: <address>
          rule: missing-scope=abort
          help: open a scope in `on_close` before its first handle: `handleguard_v8::scope!(let scope, scope);`
     backtrace (at the start of the callback):
      <frame>: v8::death::on_close
      <frame>: v8::death::bug_phase";

#[test]
fn abort_prints_the_whole_report_and_ends_by_sigabrt() {
    if is_child() {
        bug_phase();
        unreachable!("the first close aborts");
    }
    let output = child(
        "death::abort_prints_the_whole_report_and_ends_by_sigabrt",
        "abort",
    );
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let stderr = stderr(&output);
    let report = stderr.find("handleguard: missing-scope").expect("a report");
    let report = normalised(&stderr[report..]);
    assert_eq!(report, ABORTED);
}

#[test]
fn where_missing_scope_is_off_the_callback_is_named_by_what_it_leaves() {
    if is_child() {
        bug_phase();
        unreachable!("the end of the first close aborts");
    }
    let output = child(
        "death::where_missing_scope_is_off_the_callback_is_named_by_what_it_leaves",
        "off,outer-growth=abort",
    );
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let stderr = normal::lines(&stderr(&output));
    // The result, and the current context, which the v8 crate keeps in the scope at its first use.
    assert!(stderr.contains(
        "\nhandleguard: outer-growth: callback `on_close` at tests/v8/death.rs:LL:CC left 2 handles in the \
         HandleScope `v8::death::bug_phase` at tests/v8/death.rs:LL:CC"
    ));
}

#[test]
fn the_start_up_line_says_what_is_seen_and_what_is_not() {
    if is_child() {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        scope!(let scope, isolate);
        let _ = scope;
        return;
    }
    let output = child(
        "death::the_start_up_line_says_what_is_seen_and_what_is_not",
        "log,missing-scope=abort",
    );
    assert!(output.status.success());
    let version = v8::V8::get_version();
    let stderr = stderr(&output);
    let line = stderr.lines().next().unwrap();
    let (before, after) = line.split_once(", byte ").unwrap();
    let (byte, after) = after.split_once(' ').unwrap();
    assert!(byte.parse::<usize>().is_ok(), "{byte}");
    let hooks = match cfg!(feature = "interpose") {
        true => ", hooks (29 of 29 proved)",
        false => {
            "; does not see hooks (only what uses handleguard's own macros and calls is named; V8's level covers the rest)"
        }
    };
    assert_eq!(
        format!("{before}, byte <offset> {after}"),
        format!(
            "handleguard: on: missing-scope=abort outer-growth=log scope-budget=log scope-growth=log sealed=log out-of-order=log \
             never-closed=log wrong-thread=log wrong-isolate=log in-gc=log redundant-scope=off global-growth=log desync=log; sees stacks ({}), \
             level (V8 {version}, byte <offset> of the isolate), handles (exact, by HandleScope::NumberOfHandles){hooks}",
            handleguard_tests::HOW_STACKS_ARE_SEEN
        )
    );
}

#[test]
fn panic_unwinds_a_host_and_says_what_abort_says() {
    if is_child() {
        bug_phase();
        return;
    }
    let output = child(
        "death::panic_unwinds_a_host_and_says_what_abort_says",
        "panic",
    );
    assert_eq!(output.status.code(), Some(101), "a failed test, no abort");
    let stderr = stderr(&output);
    let sentence = ABORTED.lines().next().unwrap();
    assert!(normal::lines(&stderr).contains(sentence));
    assert!(stderr.contains("rule: missing-scope=panic\n"));
}

#[test]
fn panic_aborts_under_a_frame_of_v8_and_says_why() {
    fn native(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        turn!(scope, "nested loop");
        let callback: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        on_close(scope, callback);
    }

    if is_child() {
        host!(scope, context);
        let callback = function(scope, "(native) => native(() => 1)");
        let native = v8::Function::new(scope, native).unwrap();
        let undefined = v8::undefined(scope).into();
        turn!(scope, "loop");
        scope!(let scope, scope);
        callback.guarded_call(scope, undefined, &[native.into()]);
        unreachable!("the nested loop aborts");
    }
    let output = child(
        "death::panic_aborts_under_a_frame_of_v8_and_says_why",
        "panic",
    );
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let stderr = stderr(&output);
    assert!(stderr.contains(
        "          rule: missing-scope=panic
          note: panic aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them\n"
    ));
    assert!(!stderr.contains("panicked at"));
}

const HINT: &str = "handleguard: hint: this program calls into JavaScript and marks no turn, so a scope opened outside its \
                    event loop hides missing scopes from handleguard; mark each pass of the loop, each request or each \
                    task: `handleguard_v8::turn!(scope);`";

#[test]
fn a_host_that_never_marks_a_turn_gets_one_hint() {
    if is_child() {
        start_v8();
        for _ in 0..2 {
            let isolate = &mut v8::Isolate::new(Default::default());
            scope!(let scope, isolate);
            let context = v8::Context::new(scope, Default::default());
            let scope = &mut v8::ContextScope::new(scope, context);
            let callback = function(scope, "() => 1");
            let undefined = v8::undefined(scope).into();
            for _ in 0..150 {
                callback.guarded_call(scope, undefined, &[]);
            }
        }
        return;
    }
    let output = child("death::a_host_that_never_marks_a_turn_gets_one_hint", "log");
    assert!(output.status.success());
    assert_eq!(stderr(&output).matches(HINT).count(), 1);
}

#[test]
fn a_host_that_marks_turns_gets_no_hint() {
    if is_child() {
        host!(scope, context);
        let callback = function(scope, "() => 1");
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[]);
        for _ in 0..150 {
            turn!(scope, "loop");
            scope!(let scope, scope);
            callback.guarded_call(scope, undefined, &[]);
        }
        return;
    }
    let output = child("death::a_host_that_marks_turns_gets_no_hint", "log");
    assert!(output.status.success());
    assert!(!stderr(&output).contains("hint"));
}

#[test]
fn off_is_silent_and_judges_nothing() {
    if is_child() {
        bug_phase();
        return;
    }
    let output = child("death::off_is_silent_and_judges_nothing", "off");
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}
