//! Hosts in plain V8 that mark no turn: leaks that `scope-growth` finds, and right code of every kind that it must leave alone. Each
//! runs in a process of its own, with the action `log`.

use handleguard_tests::{child, eval, function, is_child, start_v8};
use handleguard_v8::handleguard::{self, Report, Rule};
use std::process::Output;
use v8::{Function, Global, Local, PinScope};

/// Runs `host` in a scope that stays open, in the child process, and prints the report. Returns the child's output to the parent.
fn run(name: &str, host: impl FnOnce(&mut PinScope)) -> Option<Output> {
    if !is_child() {
        let output = child(&format!("unmarked::{name}"), "log");
        assert!(output.status.success());
        return Some(output);
    }
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    // Nothing is open for a moment, as in most programs.
    {
        v8::scope!(let scope, isolate);
        v8::Context::new(scope, Default::default());
    }
    main(isolate, host);
    None
}

/// Opens the scope of the whole program.
#[inline(never)]
fn main(isolate: &mut v8::OwnedIsolate, host: impl FnOnce(&mut PinScope)) {
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    host(scope);
    let report = handleguard::report();
    println!("{report}");
    print!("{}", report.folded_profile());
    show(&report);
}

fn show(report: &Report) {
    for site in report.sites() {
        println!("SITE {}", site.violation().sentence());
    }
}

/// What the child printed of each site, without line numbers.
fn sites(output: &Output) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let sites = stdout.lines().filter_map(|line| line.strip_prefix("SITE "));
    sites.map(str::to_owned).collect()
}

fn assert_silent(name: &str, host: impl FnOnce(&mut PinScope)) {
    if let Some(output) = run(name, host) {
        assert_eq!(sites(&output), [""; 0]);
    }
}

/// Asserts that one site is found, of `scope-growth`, filled by `filler`.
fn assert_found(name: &str, filler: &str, host: impl FnOnce(&mut PinScope)) {
    if let Some(output) = run(name, host) {
        let sites = sites(&output);
        let [site] = &*sites else {
            panic!("{sites:#?}")
        };
        let rule = format!("{}: ", Rule::ScopeGrowth);
        let rest = site.strip_prefix(&rule).expect(site);
        assert!(
            rest.starts_with("HandleScope `hooks::unmarked::main"),
            "{site}"
        );
        assert!(
            rest.contains(&format!("`hooks::unmarked::{filler}` at ")),
            "{site}"
        );
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains("handles that filled a scope, by a sample of one in each block"));
        assert!(stdout.contains("    by `hooks::unmarked::"));
        let is_folded = |line: &str| {
            line.starts_with("HandleScope hooks::unmarked::main;")
                && line.contains(";hooks::unmarked::event_loop;")
                && line.contains(&format!(";hooks::unmarked::{filler}"))
        };
        assert!(stdout.lines().any(is_folded));
        // The report has said more.
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("ends without a turn"), "{stderr}");
    }
}

/// A helper of all callbacks.
fn call(scope: &mut PinScope, callee: &Global<Function>) {
    let callee = Local::new(scope, callee);
    let undefined = v8::undefined(scope).into();
    callee.call(scope, undefined, &[]);
}

#[inline(never)]
fn on_connection(scope: &mut PinScope, callee: &Global<Function>) {
    v8::scope!(let scope, scope);
    call(scope, callee);
}

/// The founding bug: the callback of a close, with no scope.
#[inline(never)]
fn on_close(scope: &mut PinScope, callee: &Global<Function>) {
    call(scope, callee);
    std::hint::black_box(());
}

/// A callback that makes a handle one line before its scope.
#[inline(never)]
fn on_read(scope: &mut PinScope, callee: &Global<Function>) {
    let size = v8::Number::new(scope, 0.5);
    {
        v8::scope!(let scope, scope);
        call(scope, callee);
    }
    std::hint::black_box(size);
}

fn made(scope: &mut PinScope) -> Global<Function> {
    v8::scope!(let scope, scope);
    let callee = function(scope, "function onEvent() { return {} }");
    Global::new(scope, callee)
}

#[inline(never)]
fn event_loop(turns: usize, mut turn: impl FnMut(usize)) {
    for nth in 0..turns {
        turn(nth);
    }
    std::hint::black_box(());
}

#[test]
fn the_founding_leak_is_found_within_twenty_thousand_connections() {
    let name = "the_founding_leak_is_found_within_twenty_thousand_connections";
    assert_found(name, "on_close", |scope| {
        let callee = made(scope);
        event_loop(20_000, |_| {
            on_connection(scope, &callee);
            on_close(scope, &callee);
        });
    });
}

#[test]
fn a_leak_of_one_handle_before_the_scope_is_found() {
    let name = "a_leak_of_one_handle_before_the_scope_is_found";
    assert_found(name, "on_read", |scope| {
        let callee = made(scope);
        event_loop(20_000, |_| on_read(scope, &callee));
    });
}

#[test]
fn a_leak_among_other_traffic_is_found() {
    let name = "a_leak_among_other_traffic_is_found";
    assert_found(name, "on_close", |scope| {
        let callee = made(scope);
        event_loop(60_000, |nth| {
            on_connection(scope, &callee);
            // One in two at one time, one in four at another.
            if nth % (2 + 2 * (nth / 1000 % 2)) == 0 {
                on_close(scope, &callee);
            }
        });
    });
}

#[test]
fn a_right_server_is_silent() {
    assert_silent("a_right_server_is_silent", |scope| {
        let callee = made(scope);
        event_loop(1_000_000, |_| {
            on_connection(scope, &callee);
            on_connection(scope, &callee);
        });
    });
}

#[test]
fn an_array_and_a_json_text_of_a_million_elements_are_silent() {
    let name = "an_array_and_a_json_text_of_a_million_elements_are_silent";
    assert_silent(name, |scope| {
        let array = v8::Array::new(scope, 0);
        for index in 0..1_000_000 {
            let element = v8::Integer::new(scope, index);
            array.set_index(scope, index.cast_unsigned(), element.into());
        }
        let text = format!("[{}1]", "0.5,".repeat(1_000_000));
        let text = v8::String::new(scope, &text).unwrap();
        let parsed = v8::json::parse(scope, text).unwrap();
        let parsed: Local<v8::Array> = parsed.try_into().unwrap();
        for index in 0..parsed.length() {
            parsed.get_index(scope, index).unwrap();
        }
    });
}

#[test]
fn batches_of_listeners_called_in_one_scope_are_silent() {
    let name = "batches_of_listeners_called_in_one_scope_are_silent";
    assert_silent(name, |scope| {
        let callee = made(scope);
        for _ in 0..20 {
            v8::scope!(let scope, scope);
            for _ in 0..5_000 {
                on_close(scope, &callee);
            }
        }
    });
}

#[test]
fn a_test_that_evaluates_thousands_of_snippets_in_its_scope_is_silent() {
    let name = "a_test_that_evaluates_thousands_of_snippets_in_its_scope_is_silent";
    assert_silent(name, |scope| {
        for nth in 0..5_000 {
            eval(scope, &format!("[{nth}].map(x => x + 1)"));
        }
    });
}

#[test]
fn a_start_up_of_thousands_of_registrations_is_silent() {
    let name = "a_start_up_of_thousands_of_registrations_is_silent";
    assert_silent(name, |scope| {
        let global = scope.get_current_context().global(scope);
        for nth in 0..4_000 {
            let key = v8::String::new(scope, &format!("op_{nth}")).unwrap();
            let op = Function::new(
                scope,
                |_: &mut PinScope,
                 _: v8::FunctionCallbackArguments,
                 _: v8::ReturnValue<v8::Value>| (),
            );
            global.set(scope, key.into(), op.unwrap().into());
            if nth % 97 == 0 {
                eval(scope, "1");
            }
        }
    });
}

#[test]
fn an_isolate_without_a_turn_says_at_its_end_what_its_scope_held() {
    let name = "an_isolate_without_a_turn_says_at_its_end_what_its_scope_held";
    let output = run(name, |scope| {
        for _ in 0..100 {
            v8::Number::new(scope, 0.5);
        }
    });
    if let Some(output) = output {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let hints: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("handleguard: hint: "))
            .collect();
        let [hint] = &*hints else {
            panic!("{hints:#?}")
        };
        assert!(
            hint.contains(" ends without a turn: HandleScope `hooks::unmarked::main"),
            "{hint}"
        );
        assert!(
            hint.contains(" handles at its close, with 0 scopes and calls begun in it"),
            "{hint}"
        );
    }
}

#[test]
fn an_isolate_whose_scopes_close_between_its_turns_says_nothing() {
    let name = "an_isolate_whose_scopes_close_between_its_turns_says_nothing";
    if is_child() {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        for _ in 0..10 {
            v8::scope!(let scope, isolate);
            let context = v8::Context::new(scope, Default::default());
            let scope = &mut v8::ContextScope::new(scope, context);
            for _ in 0..100 {
                v8::Number::new(scope, 0.5);
            }
            eval(scope, "1");
        }
        return;
    }
    let output = child(&format!("unmarked::{name}"), "log");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hint: "));
}
