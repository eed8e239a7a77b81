//! Threads and processes that end: guards and isolates in a thread's locals, and `exit` in the middle of a callback. Each test runs
//! itself again as a child.

use handleguard_tests::{child, function, is_child, start_v8};
use handleguard_v8::handleguard::TurnGuard;
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::{GuardedFunction, V8, scope, scope_guard, turn, turn_guard};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::process::Output;

thread_local! {
    static ISOLATE: RefCell<Option<v8::OwnedIsolate>> = const { RefCell::new(None) };
    static TURN: RefCell<Option<TurnGuard<V8>>> = const { RefCell::new(None) };
    static SCOPE: Cell<Option<handleguard_v8::handleguard::ScopeGuard<V8>>> = const { Cell::new(None) };
}

/// Uses the isolate in right order, with a turn, so that handleguard's own locals have their destructors registered.
fn use_it(isolate: &mut v8::OwnedIsolate) {
    turn!(isolate, "right");
    scope!(let scope, isolate);
    let _ = scope;
}

/// Opens a scope that nothing ever closes.
fn leaves_a_scope_open(isolate: &mut v8::Isolate) {
    // SAFETY: the scope is never closed, and nothing uses it.
    let isolate: &'static mut v8::Isolate = unsafe { &mut *(isolate as *mut _) };
    let storage = Box::leak(Box::new(v8::HandleScope::new(isolate)));
    // SAFETY: leaked, so it never moves.
    let _ = unsafe { Pin::new_unchecked(storage) }.init();
    let guard = scope_guard(isolate, ScopeKind::HandleScope, "left open");
    std::mem::forget(guard);
}

/// Runs `f` on a thread that ends before this returns.
fn on_a_thread(f: fn()) {
    start_v8();
    std::thread::spawn(f).join().unwrap();
}

/// The number of reports in the child's output, all of `never-closed`.
fn reports(output: &Output) -> usize {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let all = stderr
        .lines()
        .filter(|line| line.starts_with("handleguard: ") && !line.starts_with("handleguard: on: "));
    let all: Vec<_> = all
        .filter(|line| !line.starts_with("handleguard: hint: "))
        .collect();
    for line in &all {
        assert!(line.starts_with("handleguard: never-closed: "), "{line}");
    }
    all.len()
}

/// Keeps an isolate in a local of the thread, with a scope left open in it or without.
fn keeps_an_isolate(local_first: bool, leaves: bool) {
    if local_first {
        // Has the local's destructor registered before those of handleguard, which then run first.
        ISOLATE.with(|_| ());
    }
    let mut isolate = v8::Isolate::new(Default::default());
    use_it(&mut isolate);
    if leaves {
        leaves_a_scope_open(&mut isolate);
    }
    ISOLATE.set(Some(isolate));
}

/// Whichever ends first: the isolate or the locals of handleguard.
#[test]
fn a_scope_left_open_in_an_isolate_of_a_thread_local_is_found() {
    const NAME: &str = "teardown::a_scope_left_open_in_an_isolate_of_a_thread_local_is_found";
    if is_child() {
        match std::env::var("HANDLEGUARD_TEST_CASE").as_deref() {
            Ok("first, open") => on_a_thread(|| keeps_an_isolate(true, true)),
            Ok("first, closed") => on_a_thread(|| keeps_an_isolate(true, false)),
            Ok("last, open") => on_a_thread(|| keeps_an_isolate(false, true)),
            _ => on_a_thread(|| keeps_an_isolate(false, false)),
        }
        return;
    }
    for (case, expected) in [
        ("first, open", 1),
        ("first, closed", 0),
        ("last, open", 1),
        ("last, closed", 0),
    ] {
        let output = case_of(NAME, case);
        assert!(output.status.success(), "{case}");
        assert_eq!(reports(&output), expected, "{case}");
    }
}

fn case_of(name: &str, case: &str) -> Output {
    let output = handleguard_tests::child_with(name, "log", [("HANDLEGUARD_TEST_CASE", case)]);
    println!("{case}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Keeps a turn in a local of the thread, around an isolate that ends before it or after it.
fn keeps_a_turn(leaves: bool) {
    TURN.with(|_| ());
    let mut isolate = v8::Isolate::new(Default::default());
    use_it(&mut isolate);
    TURN.set(Some(turn_guard(&mut isolate, "kept")));
    if leaves {
        leaves_a_scope_open(&mut isolate);
    }
}

#[test]
fn a_turn_in_a_thread_local_outlives_its_isolate_in_silence() {
    const NAME: &str = "teardown::a_turn_in_a_thread_local_outlives_its_isolate_in_silence";
    if is_child() {
        match std::env::var("HANDLEGUARD_TEST_CASE").as_deref() {
            Ok("open") => on_a_thread(|| keeps_a_turn(true)),
            _ => on_a_thread(|| keeps_a_turn(false)),
        }
        return;
    }
    assert_eq!(reports(&case_of(NAME, "closed")), 0);
    assert_eq!(reports(&case_of(NAME, "open")), 1);
}

/// Both in locals of one thread: the turn ends first, with a scope left open in it or without.
fn keeps_both(leaves: bool) {
    ISOLATE.with(|_| ());
    let mut isolate = v8::Isolate::new(Default::default());
    use_it(&mut isolate);
    TURN.set(Some(turn_guard(&mut isolate, "kept")));
    if leaves {
        leaves_a_scope_open(&mut isolate);
    }
    ISOLATE.set(Some(isolate));
}

#[test]
fn a_turn_and_its_isolate_in_thread_locals_are_judged_once() {
    const NAME: &str = "teardown::a_turn_and_its_isolate_in_thread_locals_are_judged_once";
    if is_child() {
        match std::env::var("HANDLEGUARD_TEST_CASE").as_deref() {
            Ok("open") => on_a_thread(|| keeps_both(true)),
            _ => on_a_thread(|| keeps_both(false)),
        }
        return;
    }
    assert_eq!(reports(&case_of(NAME, "closed")), 0);
    assert_eq!(reports(&case_of(NAME, "open")), 1);
}

/// Ends the process from native code that JavaScript calls, with a turn, a scope and the isolate in locals of the thread.
fn exits_in_a_callback() {
    fn exit(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        scope!(let scope, scope);
        let _ = v8::Object::new(scope);
        std::process::exit(7);
    }

    if std::env::var("HANDLEGUARD_TEST_CASE").as_deref() == Ok("first") {
        ISOLATE.with(|_| ());
        TURN.with(|_| ());
        SCOPE.set(None);
    }
    let mut isolate = v8::Isolate::new(Default::default());
    use_it(&mut isolate);
    ISOLATE.set(Some(isolate));
    ISOLATE.with_borrow_mut(|isolate| {
        let isolate = isolate.as_mut().unwrap();
        scope!(let scope, isolate);
        SCOPE.set(Some(scope_guard(scope, ScopeKind::CallbackScope, "kept")));
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        let call = function(scope, "(exit) => exit()");
        let exit = v8::Function::new(scope, exit).unwrap();
        let undefined = v8::undefined(scope).into();
        TURN.set(Some(turn_guard(scope, "kept")));
        scope!(let scope, scope);
        call.guarded_call(scope, undefined, &[exit.into()]);
    });
    unreachable!("the callback ends the process");
}

#[test]
fn what_an_exit_in_a_callback_interrupts_is_not_left_open() {
    const NAME: &str = "teardown::what_an_exit_in_a_callback_interrupts_is_not_left_open";
    if is_child() {
        start_v8();
        exits_in_a_callback();
    }
    let plain = child(NAME, "off").status;
    for case in ["first", "last"] {
        let output = case_of(NAME, case);
        assert_eq!(output.status, plain, "{case}");
        assert_eq!(reports(&output), 0, "{case}");
    }
}
