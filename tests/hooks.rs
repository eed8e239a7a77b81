//! The hooks that the linker puts into the v8 crate's functions: they see plain V8 code, without a macro of handleguard.

#[path = "hooks/unmarked.rs"]
mod unmarked;

use handleguard_tests::{SIGABRT, child, function, is_child, normal, origin, start_v8};
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::handleguard::{self, Rule, Violation};
use handleguard_v8::{GuardedFunction, handles, level, scope, tc_scope, testing, turn};
use std::ffi::c_void;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;

/// A context in a plain scope that is open to the end of the block.
macro_rules! plain_host {
    ($scope: ident) => {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::scope!(let $scope, isolate);
        let context = v8::Context::new($scope, Default::default());
        let $scope = &mut v8::ContextScope::new($scope, context);
    };
}

#[path = "hooks/entries.rs"]
mod entries;

fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(Violation::rule).collect()
}

#[test]
fn every_hook_is_proved_at_the_start() {
    if is_child() {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::scope!(let scope, isolate);
        let _ = scope;
        return;
    }
    let output = child("every_hook_is_proved_at_the_start", "log");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("hooks (29 of 29 proved)"), "{stderr}");
}

#[test]
fn a_plain_scope_counts_once_and_so_does_one_with_a_guard() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    assert_eq!(handleguard::depth(), 1);
    {
        scope!(let scope, scope);
        assert_eq!(handleguard::depth(), 2);
        tc_scope!(let scope, scope);
        assert_eq!(handleguard::depth(), 2);
        let _ = scope;
    }
    assert_eq!(handleguard::depth(), 1);
    v8::tc_scope!(let scope, scope);
    assert_eq!(handleguard::depth(), 1);
    let _ = scope;
}

fn calls(scope: &mut v8::PinScope, callee: v8::Local<v8::Function>) {
    let undefined = v8::undefined(scope).into();
    callee.call(scope, undefined, &[]);
}

#[test]
fn a_plain_call_without_a_scope_is_named_with_both_places() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    let violations = testing::run(|| {
        turn!(scope, "loop");
        calls(scope, callee);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::MissingScope], "{violations:#?}");
    println!("{}", violations[0]);
    let finding = violations[0].finding();
    let callback = finding.callback().unwrap();
    assert_eq!(callback.name, Some("hooks::calls"));
    let opener = finding.opener().unwrap();
    assert_eq!(opener.kind, ScopeKind::HandleScope);
    assert_eq!(
        opener.place.name,
        Some("hooks::a_plain_call_without_a_scope_is_named_with_both_places")
    );
    assert_eq!(violations[0].callee(), Some("onClose (handlers.js:1:18)"));
}

#[test]
fn a_plain_scope_round_a_plain_call_is_silent() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    testing::assert_at_most(scope, 0, |scope| {
        testing::assert_clean(|| {
            for _ in 0..1000 {
                turn!(scope, "loop");
                v8::scope!(let scope, scope);
                calls(scope, callee);
            }
        })
    });
}

#[test]
fn a_call_under_a_guard_is_judged_once() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    let undefined = v8::undefined(scope).into();
    let violations = testing::run(|| {
        turn!(scope, "loop");
        callee.guarded_call(scope, undefined, &[]);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::MissingScope], "{violations:#?}");
    let callback = violations[0].finding().callback().unwrap();
    assert_eq!(
        callback.name,
        Some("hooks::a_call_under_a_guard_is_judged_once::{{closure}}")
    );
}

#[test]
fn each_way_into_javascript_is_judged() {
    plain_host!(scope);
    let class = function(scope, "class Socket {}");
    let judged = |scope: &mut v8::PinScope, enter: &dyn Fn(&mut v8::PinScope)| {
        let violations = testing::run(|| {
            turn!(scope, "loop");
            enter(scope);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::MissingScope], "{violations:#?}");
        testing::assert_clean(|| {
            turn!(scope, "loop");
            v8::scope!(let scope, scope);
            enter(scope);
        });
    };
    judged(scope, &|scope| {
        class.new_instance(scope, &[]);
    });
    let source = v8::String::new(scope, "1").unwrap();
    let script = v8::Script::compile(scope, source, None).unwrap();
    judged(scope, &|scope| {
        script.run(scope);
    });
    let source = v8::String::new(scope, "export {}").unwrap();
    let origin = origin(scope, "module.js", true);
    let mut source = v8::script_compiler::Source::new(source, Some(&origin));
    let module = v8::script_compiler::compile_module(scope, &mut source).unwrap();
    module.instantiate_module(scope, |_, _, _, _| None).unwrap();
    judged(scope, &|scope| {
        let _ = module.evaluate(scope);
    });
    judged(scope, &|scope| {
        let _ = module.evaluate_for_import_defer(scope);
    });
}

/// V8 opens a scope for the microtasks (`microtask-queue.cc`, `MicrotaskQueue::RunMicrotasks`).
#[test]
fn a_plain_checkpoint_needs_no_scope() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    let queue = v8::MicrotaskQueue::new(isolate, v8::MicrotasksPolicy::Explicit);
    testing::assert_at_most(isolate, 0, |isolate| {
        testing::assert_clean(|| {
            // With no turn marked and no scope open, in a turn, and in a turn inside a scope.
            isolate.perform_microtask_checkpoint();
            queue.perform_checkpoint(isolate);
            turn!(isolate, "loop");
            isolate.perform_microtask_checkpoint();
            queue.perform_checkpoint(isolate);
            v8::scope!(let scope, isolate);
            turn!(scope, "inner");
            scope.perform_microtask_checkpoint();
            queue.perform_checkpoint(scope);
        });
    });
}

unsafe extern "C" {
    fn v8__HandleScope__CONSTRUCT(storage: *mut [usize; 4], isolate: *mut c_void);
    fn v8__HandleScope__DESTRUCT(storage: *mut [usize; 4]);
}

fn address(isolate: &v8::Isolate) -> *mut c_void {
    // SAFETY: a transparent wrapper of the address (`isolate.rs`).
    unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) }
}

#[test]
fn a_scope_constructed_in_the_memory_of_one_still_open_is_found() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    let mut storage = [0; 4];
    let violations = testing::run(|| {
        // SAFETY: there is room for a `HandleScope`, and a second one writes over the first (lightpanda #2813); V8 counts both,
        // and both are closed.
        unsafe {
            v8__HandleScope__CONSTRUCT(&mut storage, address(isolate));
            v8__HandleScope__CONSTRUCT(&mut storage, address(isolate));
            v8__HandleScope__DESTRUCT(&mut storage);
            v8__HandleScope__DESTRUCT(&mut storage);
        }
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let text = normal::lines(&violations[0].to_string());
    // The same function, at two lines.
    let name = "`hooks::a_scope_constructed_in_the_memory_of_one_still_open_is_found::{{closure}}` at hooks.rs:LL";
    let sentence = format!(
        "handleguard: never-closed: HandleScope {name} reuses the memory of HandleScope {name}, which was never closed\n"
    );
    assert!(text.starts_with(&sentence), "{text}");
    // One scope after the other is the proper way to reuse memory.
    testing::assert_clean(|| {
        for _ in 0..2 {
            // SAFETY: as above, one at a time.
            unsafe {
                v8__HandleScope__CONSTRUCT(&mut storage, address(isolate));
                v8__HandleScope__DESTRUCT(&mut storage);
            }
        }
    });
    assert_eq!(handleguard::depth(), 0);
}

#[test]
fn plain_scopes_closed_in_the_wrong_order_are_named_both() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    let violations = testing::run(|| {
        let (mut outer, mut inner) = ([0; 4], [0; 4]);
        // SAFETY: there is room for a `HandleScope` each. V8 only restores what each has saved, and no handle is made.
        unsafe {
            v8__HandleScope__CONSTRUCT(&mut outer, address(isolate));
            v8__HandleScope__CONSTRUCT(&mut inner, address(isolate));
            v8__HandleScope__DESTRUCT(&mut outer);
            v8__HandleScope__DESTRUCT(&mut inner);
        }
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::OutOfOrder], "{violations:#?}");
    assert_eq!(handleguard::depth(), 0);
}

/// Room for a C++ `v8::TryCatch` (`v8-exception.h`).
type TryCatchStorage = [usize; 6];

unsafe extern "C" {
    fn v8__TryCatch__CONSTRUCT(storage: *mut TryCatchStorage, isolate: *mut c_void);
    fn v8__TryCatch__DESTRUCT(storage: *mut TryCatchStorage);
}

/// Destroys a scope object, as a C++ block does at its end.
#[inline(never)]
fn ends_block(storage: &mut TryCatchStorage) {
    // SAFETY: the tests pass what they constructed. V8 only sets its innermost one back to what `storage` has saved.
    unsafe { v8__TryCatch__DESTRUCT(storage) };
    std::hint::black_box(storage);
}

#[test]
fn a_try_catch_destroyed_twice_or_at_another_address_is_named_there_and_nothing_else_is() {
    plain_host!(scope);
    let isolate = address(scope);
    let mut copied = |times| {
        let run = || {
            turn!(scope, "loop");
            v8::scope!(let scope, scope);
            v8::tc_scope!(let scope, scope);
            let mut storage = [0; 6];
            // SAFETY: there is room for a `TryCatch`.
            unsafe { v8__TryCatch__CONSTRUCT(&mut storage, isolate) };
            let mut copy = storage;
            match times {
                0 => ends_block(&mut copy),
                times => (0..times).for_each(|_| ends_block(&mut storage)),
            }
            let _ = scope;
        };
        testing::run(run).violations
    };
    for times in [2, 0] {
        let violations = copied(times);
        assert_eq!(rules(&violations), [Rule::OutOfOrder], "{violations:#?}");
        let text = normal::lines(&violations[0].to_string());
        assert!(
            text.starts_with(
                "handleguard: out-of-order: TryCatch destroyed by `hooks::ends_block` at hooks.rs:LL is not open "
            ),
            "{text}"
        );
    }
    assert_eq!(rules(&copied(1)), []);
}

#[test]
fn a_handle_scope_destroyed_twice_is_named_where_it_is() {
    plain_host!(scope);
    let isolate = address(scope);
    let mut destroyed = |times| {
        let run = || {
            turn!(scope, "loop");
            v8::scope!(let scope, scope);
            let mut storage = [0; 4];
            // SAFETY: there is room for a `HandleScope`. V8 only restores what it has saved, and no handle is made.
            unsafe {
                v8__HandleScope__CONSTRUCT(&mut storage, isolate);
                for _ in 0..times {
                    v8__HandleScope__DESTRUCT(&mut storage);
                }
            }
            let _ = scope;
        };
        testing::run(run).violations
    };
    let violations = destroyed(2);
    assert_eq!(rules(&violations), [Rule::OutOfOrder], "{violations:#?}");
    let place = violations[0].finding().place().expect("a place");
    assert!(
        place
            .name
            .is_some_and(|name| name
                .starts_with("hooks::a_handle_scope_destroyed_twice_is_named_where_it_is")),
        "{place}"
    );
    assert_eq!(rules(&destroyed(1)), []);
}

/// Opens a scope in a box that is never dropped. When it is reported, the function that opened it has long returned.
fn opens_for_good(isolate: &mut v8::Isolate) {
    // SAFETY: the tests keep the isolate alive for as long as anything can touch the scope: nothing does.
    let isolate: &'static mut v8::Isolate = unsafe { &mut *(isolate as *mut _) };
    let storage = Box::leak(Box::new(v8::HandleScope::new(isolate)));
    // SAFETY: leaked, so it never moves.
    let _ = unsafe { Pin::new_unchecked(storage) }.init();
}

#[test]
fn a_plain_scope_in_a_leaked_box_is_named_when_its_opener_has_returned() {
    plain_host!(scope);
    let violations = testing::run(|| {
        turn!(scope, "forgetful");
        opens_for_good(scope);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let opener = violations[0].finding().opener().unwrap();
    assert_eq!(opener.place.name, Some("hooks::opens_for_good"));
    assert!(opener.place.location.file().ends_with("hooks.rs"));
}

#[inline(never)]
fn makes_an_isolate() -> v8::OwnedIsolate {
    let mut isolate = v8::Isolate::new(Default::default());
    {
        v8::scope!(let scope, &mut isolate);
        let _ = scope;
    }
    isolate
}

#[test]
fn wrong_thread_names_the_hosts_own_line_of_the_first_use() {
    start_v8();
    let mut isolate = makes_an_isolate();
    let address = (&raw mut isolate).expose_provenance();
    // SAFETY: entered by `Isolate::new`; entered again below.
    unsafe { isolate.exit() };
    let second = move || {
        // SAFETY: the first thread has left the isolate, and waits.
        let isolate: &mut v8::OwnedIsolate =
            unsafe { &mut *std::ptr::with_exposed_provenance_mut(address) };
        let reply = || {
            turn!(isolate, "reply");
        };
        testing::run(reply).violations
    };
    let violations = std::thread::spawn(second).join().unwrap();
    // SAFETY: no thread has entered it.
    unsafe { isolate.enter() };
    assert_eq!(rules(&violations), [Rule::WrongThread], "{violations:#?}");
    let text = normal::lines(&violations[0].to_string());
    assert!(
        text.contains(
            "\n   used before: by thread wrong_thread_names_the_hosts_own_line_of_the_first_use, first at \
             `hooks::makes_an_isolate` at hooks.rs:LL\n"
        ),
        "{text}"
    );
}

fn pump(isolate: &v8::Isolate) {
    while v8::Platform::pump_message_loop(&v8::V8::get_current_platform(), isolate, false) {}
}

/// The loop of 2013, in plain V8: a scope that is as old as the process, and each event served in it.
fn event_loop(scope: &mut v8::PinScope, passes: u32, on_event: &dyn Fn(&mut v8::PinScope)) {
    v8::scope!(let scope, scope);
    for _ in 0..passes {
        pump(scope);
        on_event(scope);
    }
    pump(scope);
}

#[test]
fn a_loop_that_marks_no_turn_has_the_growth_of_each_pass_reported_at_its_pump() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    let violations =
        testing::run(|| event_loop(scope, 3, &|scope| calls(scope, callee))).violations;
    assert_eq!(
        rules(&violations),
        [Rule::OuterGrowth; 3],
        "{violations:#?}"
    );
    for (number, violation) in (1..).zip(&violations) {
        let finding = violation.finding();
        assert_eq!(finding.turn().unwrap().number, number);
        assert_eq!(finding.place().unwrap().name, Some("hooks::pump"));
        assert_eq!(
            finding.opener().unwrap().place.name,
            Some("hooks::event_loop")
        );
        assert!(violation.handles() > 0);
    }
}

#[test]
fn a_loop_that_leaves_nothing_behind_is_silent() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    testing::assert_clean(|| {
        event_loop(scope, 3, &|scope| {
            v8::scope!(let scope, scope);
            calls(scope, callee);
        });
    });
}

#[test]
fn a_host_that_pumps_once_in_each_turn_of_its_own_scope_is_silent() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    testing::assert_clean(|| {
        for _ in 0..3 {
            event_loop(scope, 0, &|_| unreachable!("no pass"));
            v8::scope!(let scope, scope);
            pump(scope);
            calls(scope, callee);
            // deno_core's turn: more than one checkpoint, and calls in between.
            scope.perform_microtask_checkpoint();
            calls(scope, callee);
        }
    });
}

#[test]
fn a_host_that_marks_its_turns_is_taken_at_its_word() {
    plain_host!(scope);
    let callee = function(scope, "function onClose() {}");
    testing::assert_clean(|| {
        turn!(scope, "request");
        event_loop(scope, 3, &|scope| calls(scope, callee));
    });
}

#[test]
fn sealed_turns_go_on_where_the_hook_rescues_their_handles() {
    if is_child() {
        plain_host!(scope);
        let callee = function(scope, "function onClose() {}");
        let before = handles(scope).unwrap();
        for round in 0..10_000 {
            turn!(scope, "loop");
            if round % 2 == 0 {
                calls(scope, callee);
            } else {
                v8::scope!(let scope, scope);
                calls(scope, callee);
            }
        }
        println!("grown: {}", handles(scope).unwrap() - before);
        for site in handleguard::report().sites() {
            println!("{}: {} times", site.violation().rule(), site.count());
        }
        return;
    }
    let test = "sealed_turns_go_on_where_the_hook_rescues_their_handles";
    let output = child(test, "off,sealed=log");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    // The result of each bad call, and the current context, which the v8 crate makes a handle of.
    assert!(text.contains("grown: 10000\n"), "{text}");
    assert!(text.contains("sealed: 5000 times\n"), "{text}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("handleguard: sealed: ").count(), 1, "{text}");
    let report = normal::lines(&text);
    assert!(
        report.contains(
            "handleguard: sealed: a handle is created directly under turn `hooks::sealed_turns_go_on_where_the_hook_rescues_their_handles"
        ) || report.contains("handleguard: sealed: a handle is created directly under turn `loop` at tests/hooks.rs:LL:CC"),
        "{text}"
    );
    assert!(
        report.contains("hooks::calls\n"),
        "the stack of the handle: {text}"
    );
}

#[test]
fn a_handle_with_no_scope_at_all_is_reported_once_before_v8_ends_the_process() {
    if is_child() {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::callback_scope!(unsafe scope, &mut *isolate);
        v8::Number::new(scope, 0.5);
        unreachable!("V8 refuses the handle");
    }
    let test = "a_handle_with_no_scope_at_all_is_reported_once_before_v8_ends_the_process";
    let output = child(test, "log");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let sentence = "handleguard: sealed: a handle is created with no HandleScope open\n";
    assert_eq!(text.matches(sentence).count(), 1, "{text}");
    assert!(
        text.find(sentence) < text.find("Cannot create a handle without a HandleScope"),
        "{text}"
    );
}

#[test]
fn no_panic_unwinds_through_a_hook() {
    if is_child() {
        plain_host!(scope);
        let callee = function(scope, "function onClose() {}");
        turn!(scope, "loop");
        calls(scope, callee);
        return;
    }
    let output = child("no_panic_unwinds_through_a_hook", "panic");
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains(
            "note: panic aborts because the engine's C++ frames are on the stack, and a panic must not unwind through them\n"
        ),
        "{text}"
    );
}

#[test]
fn require_hooks_is_content_where_each_is_proved() {
    if is_child() {
        plain_host!(scope);
        let _ = scope;
        return;
    }
    let output = child(
        "require_hooks_is_content_where_each_is_proved",
        "log,require-hooks",
    );
    assert!(output.status.success());
}

/// An isolate on its way to another thread.
struct Moved(v8::OwnedIsolate);

// SAFETY: the thread that sends it has left the isolate.
unsafe impl Send for Moved {}

/// In a process of its own, where nothing else takes the memory in between.
#[test]
fn a_plain_isolate_that_another_thread_disposes_of_leaves_nothing_behind() {
    const NAME: &str = "a_plain_isolate_that_another_thread_disposes_of_leaves_nothing_behind";
    if !is_child() {
        let output = child(NAME, "log");
        assert!(output.status.success());
        return;
    }
    start_v8();
    // The allocator settles on a place after some rounds.
    let is_reused = (0..64).any(|_| disposes_of_one_on_another_thread());
    assert!(is_reused, "the allocator reuses the memory");
}

/// Whether the next isolate of this thread lay where the one was that another thread has disposed of.
fn disposes_of_one_on_another_thread() -> bool {
    let mut isolate = v8::Isolate::new(Default::default());
    let at = address(&isolate);
    opens_for_good(&mut isolate);
    assert_eq!(handleguard::depth(), 1);
    let violations = testing::run(|| {
        // SAFETY: this thread entered it; the second one enters it before it uses it.
        unsafe { isolate.exit() };
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let isolate = Moved(isolate);
    let second = move || {
        let Moved(mut isolate) = { isolate };
        // SAFETY: the first thread has left it; `drop` leaves it.
        unsafe { isolate.enter() };
        testing::assert_clean(|| {
            v8::scope!(let scope, &mut isolate);
            let _ = scope;
        });
        testing::run(|| drop(isolate)).violations
    };
    let violations = std::thread::spawn(second).join().expect("a thread");
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let mut next = v8::Isolate::new(Default::default());
    let is_reused = address(&next) == at;
    testing::assert_clean(|| {
        v8::scope!(let scope, &mut next);
        assert_eq!(
            handleguard::depth(),
            1,
            "nothing of the isolate that lay here"
        );
        let _ = scope;
    });
    is_reused
}

#[test]
fn calibration_is_not_recorded_as_scopes_of_the_program() {
    const NAME: &str = "calibration_is_not_recorded_as_scopes_of_the_program";
    if is_child() {
        handleguard_tests::start_v8();
        // No hook sees this isolate entered, so nothing has looked for V8's level before.
        let isolate = v8::Isolate::snapshot_creator(None, None);
        assert_eq!(level(&isolate), Some(0));
        // Without a context, V8 makes no snapshot of it.
        std::mem::forget(isolate);
        return;
    }
    let output = child(NAME, "log");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    // The first scope that a hook records has the start-up line printed.
    assert!(!stderr.contains("handleguard: on: "), "{stderr}");
}

/// Enters a context and, if `leaves`, leaves it again.
#[inline(never)]
fn enters(scope: &mut v8::PinScope, leaves: bool) {
    let context = scope.get_current_context();
    let entered = v8::ContextScope::new(scope, context);
    if leaves {
        drop(entered);
    } else {
        std::mem::forget(entered);
    }
}

unsafe extern "C" {
    fn v8__Context__Exit(context: *const v8::Context);
}

#[test]
fn a_context_that_a_turn_enters_and_does_not_leave_is_named() {
    plain_host!(scope);
    let context = scope.get_current_context();
    let run = |scope: &mut v8::PinScope, leaves: &[bool]| {
        let run = || {
            turn!(scope, "request");
            v8::scope!(let scope, scope);
            for &leaves in leaves {
                enters(scope, leaves);
            }
        };
        testing::run(run).violations
    };
    let violations = run(scope, &[true, false, true, false]);
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let text = normal::lines(&violations[0].to_string());
    assert!(
        text.contains(
            " ended, and the context entered by `hooks::enters` at hooks.rs:LL was not left\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\n          note: 1 more context or scope was not left\n"),
        "{text}"
    );
    // Reported once; and who leaves them later is right to do so.
    assert_eq!(rules(&run(scope, &[true])), []);
    for _ in 0..2 {
        // SAFETY: this context was entered last, twice.
        unsafe { v8__Context__Exit(&raw const *context) };
    }
    assert_eq!(rules(&run(scope, &[true; 3])), []);
}

/// A C++ `v8::Isolate::DisallowJavascriptExecutionScope`.
type DisallowStorage = [usize; 2];

unsafe extern "C" {
    fn v8__DisallowJavascriptExecutionScope__CONSTRUCT(
        storage: *mut DisallowStorage,
        isolate: *mut c_void,
        on_failure: std::ffi::c_int,
    );
    fn v8__DisallowJavascriptExecutionScope__DESTRUCT(storage: *mut DisallowStorage);
}

#[inline(never)]
fn forbids_javascript(isolate: *mut c_void, storage: &mut DisallowStorage, destroys: bool) {
    // SAFETY: there is room for the scope, and V8 only writes down whether JavaScript is allowed.
    unsafe {
        v8__DisallowJavascriptExecutionScope__CONSTRUCT(storage, isolate, 0);
        if destroys {
            v8__DisallowJavascriptExecutionScope__DESTRUCT(storage);
        }
    }
}

#[test]
fn a_scope_that_forbids_javascript_and_is_not_destroyed_is_named_at_the_end_of_its_turn() {
    plain_host!(scope);
    let isolate = address(scope);
    let mut storage = [0; 2];
    let mut run = |destroys| {
        let run = || {
            turn!(scope, "request");
            v8::scope!(let scope, scope);
            let _ = scope;
            forbids_javascript(isolate, &mut storage, destroys);
        };
        testing::run(run).violations
    };
    let violations = run(false);
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    let text = normal::lines(&violations[0].to_string());
    assert!(
        text.contains(
            " ended, and the DisallowJavascriptExecutionScope constructed by `hooks::forbids_javascript` at \
             hooks.rs:LL was not destroyed\n"
        ),
        "{text}"
    );
    assert_eq!(rules(&run(true)), []);
    // SAFETY: constructed above, and not destroyed yet.
    unsafe { v8__DisallowJavascriptExecutionScope__DESTRUCT(&mut storage) };
}

#[test]
fn a_context_left_standing_is_named_when_its_isolate_ends_and_no_turn_was_marked() {
    start_v8();
    let run = |leaves| {
        testing::run(|| {
            let isolate = &mut v8::Isolate::new(Default::default());
            v8::scope!(let scope, isolate);
            let context = v8::Context::new(scope, Default::default());
            let scope = &mut v8::ContextScope::new(scope, context);
            enters(scope, leaves);
        })
        .violations
    };
    let violations = run(false);
    assert_eq!(rules(&violations), [Rule::NeverClosed], "{violations:#?}");
    assert_eq!(rules(&run(true)), []);
}

/// A Smi in a handle of the one isolate, passed to a function of the other: V8 reads no heap, and neither does V8's release build
/// check it.
#[test]
fn a_handle_of_another_isolate_is_found_as_an_argument_at_any_call() {
    start_v8();
    let first = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, first);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let callee = function(scope, "function onData(x) {}");
    let undefined = v8::undefined(scope).into();
    let mut second = v8::Isolate::new(Default::default());
    v8::scope!(let other, &mut second);
    let foreign: v8::Local<v8::Value> = v8::Integer::new(other, 1).into();
    let foreign: v8::Local<v8::Value> = {
        // SAFETY: only the lifetime changes, which binds the handle to the other scope: to mix the two is the bug.
        unsafe { std::mem::transmute(foreign) }
    };
    // SAFETY: of this thread, and left again below.
    unsafe { scope.enter() };
    for (calls, wrong) in [(0, 1), (3, 1), (3, 0)] {
        let run = || {
            turn!(scope, "loop");
            v8::scope!(let scope, scope);
            let own: v8::Local<v8::Value> = v8::Integer::new(scope, 1).into();
            for _ in 0..calls {
                callee.call(scope, undefined, &[own]);
            }
            for _ in 0..wrong {
                callee.call(scope, undefined, &[own, foreign]);
            }
        };
        let violations = testing::run(run).violations;
        let expected = vec![Rule::WrongIsolate; wrong];
        assert_eq!(rules(&violations), expected, "{calls}: {violations:#?}");
    }
    // SAFETY: entered above.
    unsafe { scope.exit() };
}
