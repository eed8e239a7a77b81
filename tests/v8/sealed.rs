//! Sealed turns, and handles made with no scope at all: the report comes before V8's last words.

use handleguard_tests::{child, child_with, host, is_child};
use handleguard_v8::handleguard::depth;
use handleguard_v8::{scope, turn};
use std::ffi::{c_char, c_void};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// Makes a handle as C++ and generated bindings do, with no macro of handleguard or of the v8 crate.
#[inline(never)]
fn makes_a_handle(isolate: &mut v8::Isolate) {
    unsafe extern "C" {
        fn v8__Object__New(isolate: *mut c_void) -> *const c_void;
    }
    // SAFETY: a live isolate of this thread, in a context; the pointer is not used.
    let handle = unsafe { v8__Object__New(isolate.as_raw_isolate_ptr().into_address()) };
    // Prevents a tail call, which would leave this function out of the stack.
    std::hint::black_box(handle);
}

/// The address in the v8 crate's wrapper.
trait Address {
    fn into_address(self) -> *mut c_void;
}

impl Address for v8::UnsafeRawIsolatePtr {
    fn into_address(self) -> *mut c_void {
        // SAFETY: a transparent wrapper of the address (`isolate.rs`).
        unsafe { std::mem::transmute(self) }
    }
}

/// Makes a handle with no scope open.
fn makes_a_handle_in_no_scope(isolate: &mut v8::Isolate) -> ! {
    unsafe extern "C" {
        fn v8__Number__New(isolate: *mut c_void, value: f64) -> *const c_void;
    }
    {
        scope!(let scope, isolate);
        let _ = scope;
    }
    assert_eq!(depth(), 0);
    // SAFETY: a live isolate of this thread; V8 refuses the handle.
    let _ = unsafe { v8__Number__New(isolate.as_raw_isolate_ptr().into_address(), 0.5) };
    unreachable!("V8 refuses the handle");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that a signal ended the process, with the report before V8's own message.
fn report_before_v8(output: &Output, sentence: &str) -> String {
    let text = stderr(output);
    assert!(output.status.signal().is_some(), "{text}");
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
        makes_a_handle_in_no_scope(&mut v8::Isolate::new(Default::default()));
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
fn the_process_ends_by_the_signal_that_v8_chooses() {
    const NAME: &str = "sealed::the_process_ends_by_the_signal_that_v8_chooses";
    if is_child() {
        handleguard_tests::start_v8();
        makes_a_handle_in_no_scope(&mut v8::Isolate::new(Default::default()));
    }
    let plain = child(NAME, "off").status;
    assert!(plain.signal().is_some());
    for directives in ["log", "abort", "sealed=abort"] {
        let output = child(NAME, directives);
        assert!(stderr(&output).contains("handleguard: sealed: a handle is created"));
        assert_eq!(output.status, plain, "{directives}");
    }
}

#[test]
fn a_process_that_runs_out_of_memory_ends_as_without_handleguard() {
    const NAME: &str = "sealed::a_process_that_runs_out_of_memory_ends_as_without_handleguard";
    if is_child() {
        handleguard_tests::start_v8();
        let params = v8::CreateParams::default().heap_limits(0, 8 << 20);
        let isolate = &mut v8::Isolate::new(params);
        scope!(let scope, isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        handleguard_tests::eval(
            scope,
            "for (let all = []; ; ) all.push(new Array(1000).fill(0.5))",
        );
        unreachable!("V8 runs out of memory");
    }
    const WORDS: &str = "# Fatal JavaScript out of memory: ";
    let words = |output: &Output| {
        let text = stderr(output);
        let at = text.find(WORDS).unwrap_or_else(|| panic!("{text}"));
        text[at..].lines().next().unwrap_or_default().to_owned()
    };
    let plain = child(NAME, "off");
    for directives in ["log", "sealed=abort"] {
        let guarded = child(NAME, directives);
        assert_eq!(guarded.status, plain.status, "{directives}");
        assert_eq!(words(&guarded), words(&plain), "{directives}");
    }
}

#[test]
fn a_handler_of_the_host_keeps_its_place() {
    const NAME: &str = "sealed::a_handler_of_the_host_keeps_its_place";
    type Handler = unsafe extern "C" fn(*const c_char, *const c_char);
    unsafe extern "C" {
        /// `Isolate::SetFatalErrorHandler`, which the v8 crate does not bind.
        #[link_name = "_ZN2v87Isolate20SetFatalErrorHandlerEPFvPKcS2_E"]
        fn set_fatal_error_handler(isolate: *mut c_void, handler: Handler);
    }
    unsafe extern "C" fn of_the_host(_: *const c_char, _: *const c_char) {
        eprintln!("the host's own handler");
        std::process::exit(42);
    }

    if is_child() {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        let set = |isolate: &v8::Isolate| {
            // SAFETY: the isolate is live, and V8 calls the function as it is declared.
            unsafe {
                set_fatal_error_handler(isolate.as_raw_isolate_ptr().into_address(), of_the_host);
            }
        };
        let is_late = std::env::var_os("LATE").is_some();
        if !is_late {
            set(isolate);
        }
        {
            scope!(let scope, isolate);
            let _ = scope;
        }
        if is_late {
            set(isolate);
        }
        makes_a_handle_in_no_scope(isolate);
    }
    for directives in ["log", "abort", "sealed=abort"] {
        for variables in [vec![], vec![("LATE", "1")]] {
            let output = child_with(NAME, directives, variables);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(42), "{directives}: {text}");
            assert!(text.contains("the host's own handler\n"), "{text}");
            // The hook in `Extend` reports first, and leaves the handler alone.
            let reports = text.contains("handleguard: sealed: a handle is created");
            assert_eq!(reports, cfg!(feature = "interpose"), "{text}");
        }
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
