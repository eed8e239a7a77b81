//! Sealed turns, and handles made with no scope at all: the report comes before V8's last words.

use handleguard_tests::{child, host, is_child};
use handleguard_v8::handleguard::depth;
use handleguard_v8::{scope, turn};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

const SIGABRT: i32 = 6;

/// Makes a handle as C++ and generated bindings do, with no macro of handleguard or of the v8 crate.
#[inline(never)]
fn makes_a_handle(isolate: &mut v8::Isolate) {
    unsafe extern "C" {
        fn v8__Object__New(isolate: *mut std::ffi::c_void) -> *const std::ffi::c_void;
    }
    // SAFETY: a live isolate of this thread, in a context; the pointer is not used.
    let handle = unsafe { v8__Object__New(isolate.as_raw_isolate_ptr().into_address()) };
    // Prevents a tail call, which would leave this function out of the stack.
    std::hint::black_box(handle);
}

/// The address in the v8 crate's wrapper.
trait Address {
    fn into_address(self) -> *mut std::ffi::c_void;
}

impl Address for v8::UnsafeRawIsolatePtr {
    fn into_address(self) -> *mut std::ffi::c_void {
        // SAFETY: a transparent wrapper of the address (`isolate.rs`).
        unsafe { std::mem::transmute(self) }
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that the process ended by SIGABRT, with the report before V8's own message.
fn report_before_v8(output: &Output, sentence: &str) -> String {
    let text = stderr(output);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{text}");
    let report = text.find(sentence).unwrap_or_else(|| panic!("{text}"));
    let v8 = text
        .find("# Fatal error in v8::HandleScope::CreateHandle()\n# Cannot create a handle without a HandleScope")
        .unwrap_or_else(|| panic!("{text}"));
    assert!(report < v8, "{text}");
    text[report..v8].to_owned()
}

#[test]
fn a_handle_under_a_sealed_turn_is_reported_before_v8_aborts() {
    const NAME: &str = "sealed::a_handle_under_a_sealed_turn_is_reported_before_v8_aborts";
    if is_child() {
        host!(scope, _context);
        turn!(scope, "event loop");
        {
            // A sealed turn allows handles in a scope.
            scope!(let scope, scope);
            makes_a_handle(scope);
        }
        makes_a_handle(scope);
        unreachable!("V8 refuses the handle");
    }
    let report = report_before_v8(
        &child(NAME, "sealed=abort"),
        "handleguard: sealed: a handle is created directly under turn `event loop` at tests/v8/sealed.rs:",
    );
    assert!(
        report.contains(
            ", with no HandleScope opened since it began; the handle goes to the HandleScope `"
        ),
        "{report}"
    );
    assert!(
        report.contains("          rule: sealed=abort\n"),
        "{report}"
    );
    assert!(
        report.contains("     backtrace (at the creation of the handle):\n"),
        "{report}"
    );
    assert!(
        report.contains("v8::sealed::makes_a_handle\n"),
        "the stack reaches out of V8: {report}"
    );
}

#[test]
fn a_handle_with_no_scope_at_all_differs_from_a_sealed_one() {
    const NAME: &str = "sealed::a_handle_with_no_scope_at_all_differs_from_a_sealed_one";
    if is_child() {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        {
            scope!(let scope, isolate);
            let _ = scope;
        }
        assert_eq!(depth(), 0);
        unsafe extern "C" {
            fn v8__Number__New(
                isolate: *mut std::ffi::c_void,
                value: f64,
            ) -> *const std::ffi::c_void;
        }
        // SAFETY: a live isolate of this thread; V8 refuses the handle.
        let _ = unsafe { v8__Number__New(isolate.as_raw_isolate_ptr().into_address(), 0.5) };
        unreachable!("V8 refuses the handle");
    }
    for (directives, rule, note) in [
        ("abort", "sealed=abort", ""),
        (
            "log",
            "sealed=log",
            "          note: log cannot save the process: no scope is open for the handle, so the engine ends the process\n",
        ),
    ] {
        let report = report_before_v8(
            &child(NAME, directives),
            "handleguard: sealed: a handle is created with no HandleScope open\n",
        );
        assert!(
            report.contains(&format!("          rule: {rule}\n{note}")),
            "{report}"
        );
    }
}

#[test]
fn ten_thousand_sealed_turns_in_order_are_silent() {
    const NAME: &str = "sealed::ten_thousand_sealed_turns_in_order_are_silent";
    if is_child() {
        host!(scope, _context);
        for _ in 0..10_000 {
            turn!(scope, "loop");
            turn!(scope, "event");
            scope!(let scope, scope);
            makes_a_handle(scope);
            turn!(scope, "nested");
            scope!(let scope, scope);
            makes_a_handle(scope);
        }
        // The seal is gone with the turn.
        makes_a_handle(scope);
        return;
    }
    let output = child(NAME, "sealed=abort");
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("handleguard: sealed: "), "{text}");
}

/// With hooks linked it is accepted: see `tests/hooks.rs`.
#[cfg(not(feature = "interpose"))]
#[test]
fn sealed_log_is_refused_in_one_line_where_nothing_can_be_rescued() {
    const NAME: &str = "sealed::sealed_log_is_refused_in_one_line_where_nothing_can_be_rescued";
    if is_child() {
        host!(scope, _context);
        turn!(scope, "event loop");
        makes_a_handle(scope);
        return;
    }
    let output = child(NAME, "log,sealed=log");
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(
            "handleguard: sealed=log is refused, and no turn is sealed: the engine ends the process at such a handle, and the \
             hook that could save it is not linked; accepted here: sealed=abort; missing-scope and outer-growth see the same \
             bug, and can go on\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("handleguard: outer-growth: turn `event loop` at "),
        "{text}"
    );
}
