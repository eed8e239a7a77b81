//! Who made the handles that a turn leaves: `outer-growth` names the function, with the hooks linked, in plain V8 code.

use handleguard_tests::{SIGABRT, child, eval, function, is_child, start_v8};
use handleguard_v8::handleguard::{self, Rule, Violation};
use handleguard_v8::{handles, level, testing, turn};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// A context in a plain scope that is open to the end of the block.
macro_rules! plain_host {
    ($scope: ident) => {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::scope!(let $scope, isolate);
        let context = v8::Context::new($scope, Default::default());
        let $scope = &mut v8::ContextScope::new($scope, context);
    };
}

/// How many turns of an isolate are watched whether they leave handles or not, and more.
const FIRST_TURNS: u32 = 100;

#[inline(never)]
fn makes_a_number(scope: &v8::PinScope) {
    let number = v8::Number::new(scope, 0.5);
    std::hint::black_box(number);
}

#[inline(never)]
fn makes_an_object(scope: &v8::PinScope) {
    let object = v8::Object::new(scope);
    std::hint::black_box(object);
}

/// A function of V8's that runs JavaScript and returns a handle, with two handles of its own.
#[inline(never)]
fn settles_a_promise(scope: &v8::PinScope, resolver: &v8::Global<v8::PromiseResolver>) {
    let resolver = v8::Local::new(scope, resolver);
    let value = v8::Number::new(scope, 0.5);
    resolver.resolve(scope, value.into());
}

fn names(violation: &Violation) -> Vec<&'static str> {
    let makers = violation.finding().makers();
    makers.iter().filter_map(|maker| maker.place.name).collect()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the child process `name` logs, with the action `log`, and what it prints.
fn logged(name: &str) -> (String, String) {
    let output = child(name, "log");
    assert!(output.status.success());
    (stderr(&output), stdout(&output))
}

/// Prints what the program has recorded.
fn print_sites() {
    for site in handleguard::report().sites() {
        println!(
            "site: {} x{}, {} handles: {}",
            site.violation().rule(),
            site.count(),
            site.handles(),
            site.violation().sentence()
        );
    }
}

#[test]
fn a_test_names_each_maker_of_a_turn() {
    plain_host!(scope);
    let violations = testing::run(|| {
        turn!(scope, "loop");
        makes_a_number(scope);
        {
            v8::scope!(let scope, scope);
            makes_an_object(scope);
        }
        settles_a_promise_of_its_own(scope);
        makes_a_number(scope);
        makes_an_object(scope);
    })
    .violations;
    let [violation] = violations.as_slice() else {
        panic!("{violations:#?}");
    };
    assert_eq!(violation.rule(), Rule::OuterGrowth);
    assert_eq!(
        names(violation),
        [
            "makers::makes_a_number",
            "makers::settles_a_promise",
            "makers::makes_an_object"
        ]
    );
    let makers = violation.finding().makers();
    let callers = makers
        .iter()
        .map(|maker| maker.caller.unwrap().name.unwrap());
    assert_eq!(
        callers.collect::<Vec<_>>(),
        [
            "makers::a_test_names_each_maker_of_a_turn::{{closure}}",
            "makers::settles_a_promise_of_its_own",
            "makers::a_test_names_each_maker_of_a_turn::{{closure}}",
        ]
    );
    let frames = violation.trace().frames();
    assert!(
        frames
            .iter()
            .any(|frame| frame.function == "makers::makes_a_number"),
        "{frames:#?}"
    );
    let text = violation.to_string();
    for expected in [
        ", made by `makers::makes_a_number` at makers.rs:",
        "       made by: `makers::settles_a_promise` at makers.rs:",
        "help: open a scope in `makers::makes_a_number` before creating the first handle, and escape only the handle you return: ",
        "backtrace (at the creation of the first handle):\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    for hidden in ["__wrap_", "v8__", "v8::HandleScope::Extend", "`<v8::"] {
        let place = text
            .lines()
            .find(|line| line.contains("made by") && line.contains(hidden));
        assert_eq!(place, None);
    }
}

#[inline(never)]
fn settles_a_promise_of_its_own(scope: &mut v8::PinScope) {
    let resolver = {
        v8::scope!(let scope, scope);
        let resolver = v8::PromiseResolver::new(scope).unwrap();
        v8::Global::new(scope, resolver)
    };
    settles_a_promise(scope, &resolver);
}

#[test]
fn the_closure_of_a_test_names_its_makers_where_no_turn_is_marked() {
    plain_host!(scope);
    let violations = testing::run(|| makes_a_number(scope)).violations;
    let [violation] = violations.as_slice() else {
        panic!("{violations:#?}");
    };
    assert_eq!(names(violation), ["makers::makes_a_number"]);
}

#[test]
fn a_value_that_a_counting_test_allows_is_no_violation() {
    plain_host!(scope);
    let value = testing::assert_leaves_at_most(1, || v8::Number::new(scope, 0.5));
    assert_eq!(value.value(), 0.5);
    testing::assert_clean(|| {
        turn!(scope, "loop");
        v8::scope!(let scope, scope);
        {
            v8::escapable_handle_scope!(let inner, scope);
            let number = v8::Number::new(inner, 0.5);
            let number = inner.escape(number);
            assert_eq!(number.value(), 0.5);
        }
        makes_a_number(scope);
    });
}

#[test]
fn the_first_log_of_a_short_program_names_the_maker() {
    const NAME: &str = "the_first_log_of_a_short_program_names_the_maker";
    if is_child() {
        plain_host!(scope);
        let before = handles(scope).unwrap();
        {
            turn!(scope, "loop");
            makes_a_number(scope);
        }
        println!("\ngrown: {}", handles(scope).unwrap() - before);
        print_sites();
        return;
    }
    let (log, report) = logged(NAME);
    assert!(report.contains("grown: 1\n"), "{report}");
    assert!(
        report.contains("site: outer-growth x1, 1 handles: "),
        "{report}"
    );
    for text in [&report, &log] {
        assert!(
            text.contains(", made by `makers::makes_a_number` at makers.rs:"),
            "{text}"
        );
    }
    assert_eq!(
        log.matches("handleguard: outer-growth: ").count(),
        1,
        "{log}"
    );
}

/// A host whose turns were right for long begins to leak: the first report cannot name the maker, and a second one does.
#[test]
fn a_leak_that_begins_late_is_logged_again_with_its_maker() {
    const NAME: &str = "a_leak_that_begins_late_is_logged_again_with_its_maker";
    const LEAKS: u64 = 300;
    if is_child() {
        plain_host!(scope);
        let before = handles(scope).unwrap();
        for round in 0..FIRST_TURNS + LEAKS as u32 {
            turn!(scope, "loop");
            if round >= FIRST_TURNS {
                makes_a_number(scope);
                makes_an_object(scope);
            }
        }
        println!("\ngrown: {}", handles(scope).unwrap() - before);
        print_sites();
        return;
    }
    let (log, report) = logged(NAME);
    let grown = report.lines().find_map(|line| line.strip_prefix("grown: "));
    let grown = grown.unwrap_or_else(|| panic!("{report}"));
    let site = format!("site: outer-growth x{LEAKS}, {grown} handles: outer-growth: turn `loop`",);
    assert!(report.contains(&site), "{report}");
    let makers = |text: &str| {
        let made_by = ", made by `makers::makes_a_number` at makers.rs:";
        text.lines().any(|line| {
            line.contains(made_by) && line.contains("; and by `makers::makes_an_object` at ")
        })
    };
    assert!(makers(&report), "{report}");
    assert!(makers(&log), "{log}");
    let logged = log
        .matches("handleguard: outer-growth: turn `loop` at ")
        .count();
    assert!(
        (1..=2).contains(&logged),
        "once without the makers at most, and once with them: {log}"
    );
}

#[test]
fn a_leak_that_happens_now_and_then_is_named() {
    const NAME: &str = "a_leak_that_happens_now_and_then_is_named";
    if is_child() {
        plain_host!(scope);
        for round in 1..2000 {
            turn!(scope, "loop");
            if round % 500 == 0 {
                makes_a_number(scope);
            }
        }
        print_sites();
        return;
    }
    let report = stdout(&child(NAME, "count"));
    assert!(
        report.contains("site: outer-growth x3, 3 handles: "),
        "{report}"
    );
    assert!(
        report.contains(", made by `makers::makes_a_number` at "),
        "{report}"
    );
}

#[test]
fn abort_and_panic_name_the_maker_in_any_turn() {
    const NAME: &str = "abort_and_panic_name_the_maker_in_any_turn";
    if is_child() {
        plain_host!(scope);
        for round in 0..=FIRST_TURNS {
            turn!(scope, "loop");
            if round == FIRST_TURNS {
                makes_a_number(scope);
            }
        }
        return;
    }
    let output = child(NAME, "abort");
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let panicked = child(NAME, "panic");
    assert_eq!(panicked.status.code(), Some(101));
    for text in [stderr(&output), stderr(&panicked)] {
        assert!(
            text.contains("outer-growth: turn `loop` at tests/makers.rs:"),
            "{text}"
        );
        assert!(
            text.contains(", made by `makers::makes_a_number` at makers.rs:"),
            "{text}"
        );
        let trace = text
            .split("backtrace (at the creation of the first handle):\n")
            .nth(1);
        assert!(
            trace.is_some_and(|trace| trace.contains("makers::makes_a_number\n")),
            "{text}"
        );
    }
}

/// What a program does under sealed turns must be what it does without the checker: the same handles in the same scopes, through
/// JavaScript and back, over the edges of V8's blocks of 1,022 handles.
#[test]
fn the_seals_disturb_nothing() {
    const NAME: &str = "the_seals_disturb_nothing";
    if is_child() {
        plain_host!(scope);
        fn native(
            scope: &mut v8::PinScope,
            _: v8::FunctionCallbackArguments,
            mut rv: v8::ReturnValue,
        ) {
            for _ in 0..3000 {
                makes_a_number(scope);
            }
            rv.set(v8::Object::new(scope).into());
        }
        let native = v8::Function::new(scope, native).unwrap();
        let global = scope.get_current_context().global(scope);
        let name = v8::String::new(scope, "native").unwrap();
        global.set(scope, name.into(), native.into());
        let callee = function(
            scope,
            "function f(n) { let o; for (let i = 0; i < n; i++) o = native(); return o }",
        );
        let n: v8::Local<v8::Value> = v8::Integer::new(scope, 3).into();
        let receiver = v8::undefined(scope).into();
        for round in 0..30_u32 {
            let (before, outside) = (handles(scope).unwrap(), level(scope).unwrap());
            {
                turn!(scope, "outer");
                for _ in 0..round * 40 {
                    makes_a_number(scope);
                }
                turn!(scope, "inner");
                callee.call(scope, receiver, &[n]).unwrap();
                v8::scope!(let inner, scope);
                for _ in 0..round * 100 {
                    makes_a_number(inner);
                }
                v8::escapable_handle_scope!(let inner, inner);
                let escaped = v8::Object::new(inner);
                let escaped = inner.escape(escaped);
                assert!(escaped.is_object());
                callee.call(inner, receiver, &[n]).unwrap();
                assert_eq!(
                    eval(inner, "[1, 2, 3].map(x => x * 2).join()").to_rust_string_lossy(inner),
                    "2,4,6"
                );
            }
            assert_eq!(level(scope), Some(outside));
            println!("\nround {round}: {}", handles(scope).unwrap() - before);
        }
        return;
    }
    let rounds = |output: &Output| {
        assert!(output.status.success());
        let text = stdout(output);
        text.lines()
            .filter(|line| line.starts_with("round "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let plain = rounds(&child(NAME, "off"));
    assert_eq!(plain.len(), 30, "{plain:#?}");
    assert_eq!(rounds(&child(NAME, "log")), plain);
    assert_eq!(rounds(&child(NAME, "count")), plain);
}

/// A scope that a turn leaves open stands above the seal, in another block of V8's handles. A seal that put V8's limit back would have
/// V8 write beyond the end of that block.
#[test]
fn a_scope_left_open_in_a_sealed_turn_keeps_its_block() {
    const NAME: &str = "a_scope_left_open_in_a_sealed_turn_keeps_its_block";
    if is_child() {
        plain_host!(scope);
        for turn in 0..10 {
            turn!(scope, "loop");
            let left = Box::leak(Box::new(v8::HandleScope::new(&mut *scope)));
            // SAFETY: it is never moved, for it is leaked.
            let inner = &mut unsafe { std::pin::Pin::new_unchecked(left) }.init();
            for _ in 0..1500 + turn {
                makes_a_number(inner);
            }
        }
        for _ in 0..20_000 {
            makes_a_number(scope);
        }
        println!("alive");
        return;
    }
    let output = child(NAME, "log");
    assert!(output.status.success(), "{:?}", output.status);
    assert!(stdout(&output).contains("alive\n"));
    assert!(
        stderr(&output).contains("handleguard: never-closed: "),
        "{}",
        stderr(&output)
    );
}

/// The guard of the turn outlives the scope around it: the turn gets no verdict, and its seal must not outlive the scope.
#[test]
fn a_turn_that_outlives_the_scope_around_it_is_silent() {
    const NAME: &str = "a_turn_that_outlives_the_scope_around_it_is_silent";
    if is_child() {
        plain_host!(scope);
        for _ in 0..50 {
            let turn;
            {
                v8::scope!(let scope, scope);
                for _ in 0..1500 {
                    makes_a_number(scope);
                }
                turn = handleguard_v8::turn_guard(scope, "task");
                makes_a_number(scope);
            }
            v8::scope!(let scope, scope);
            for _ in 0..3000 {
                makes_a_number(scope);
            }
            drop(turn);
            makes_a_number(scope);
        }
        print_sites();
        println!("alive");
        return;
    }
    for directives in ["log", "abort,out-of-order=log", "count"] {
        let output = child(NAME, directives);
        assert!(output.status.success(), "{directives}: {:?}", output.status);
        let text = stdout(&output);
        assert!(text.contains("alive\n"), "{text}");
        assert!(!text.contains("outer-growth"), "{text}");
    }
}

fn pump(isolate: &v8::Isolate) {
    while v8::Platform::pump_message_loop(&v8::V8::get_current_platform(), isolate, false) {}
}

#[inline(never)]
fn answers(scope: &mut v8::PinScope, callee: v8::Local<v8::Function>) {
    let receiver = v8::undefined(scope).into();
    callee.call(scope, receiver, &[]);
}

/// No turn is marked: the loop pumps V8's messages, and each pass is a turn that handleguard infers.
#[test]
fn the_maker_in_a_turn_that_is_inferred_is_named() {
    const NAME: &str = "the_maker_in_a_turn_that_is_inferred_is_named";
    if is_child() {
        plain_host!(scope);
        let callee = function(scope, "() => ({})");
        let clean = std::env::var_os("CLEAN").is_some();
        for _ in 0..2 {
            v8::scope!(let scope, scope);
            // At start-up, in the scope of the loop.
            makes_a_number(scope);
            pump(scope);
            for _ in 0..200 {
                if clean {
                    v8::scope!(let scope, scope);
                    answers(scope, callee);
                } else {
                    answers(scope, callee);
                }
                pump(scope);
            }
        }
        // At the level of the scope of a loop, which is closed.
        v8::scope!(let scope, scope);
        for _ in 0..3000 {
            makes_a_number(scope);
        }
        println!("\ngrown: {}", handles(scope).unwrap());
        print_sites();
        return;
    }
    let output = child(NAME, "log");
    let (log, report) = (stderr(&output), stdout(&output));
    for text in [&log, &report] {
        assert!(
            text.contains(", made by `makers::answers` at makers.rs:"),
            "{text}"
        );
        assert!(!text.contains("`makers::makes_a_number`"), "{text}");
    }
    let clean = handleguard_tests::child_with(NAME, "log", [("CLEAN", "1")]);
    assert!(clean.status.success());
    let text = stdout(&clean);
    assert!(!text.contains("site: "), "{text}");
    let grown = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("grown: "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let plain = handleguard_tests::child_with(NAME, "off", [("CLEAN", "1")]);
    assert_eq!(grown(&text), grown(&stdout(&plain)));
}
