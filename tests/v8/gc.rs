//! Callbacks that garbage collection starts are checked by themselves, whatever they interrupt.

use handleguard_tests::{child, function, host, is_child};
use handleguard_v8::handleguard::finding::{Beginning, Finding, InGc};
use handleguard_v8::handleguard::{Rule, Violation};
use handleguard_v8::{GcPhase, GuardedFunction, gc_guard, scope, testing, turn};
use std::cell::Cell;
use std::ffi::c_void;

fn collect_garbage(isolate: &mut v8::Isolate) {
    isolate.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
}

/// The work of a GC callback of the host, passed as its data.
type Work = fn(&mut v8::Isolate);

unsafe extern "C" fn gc_callback(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    work: *mut c_void,
) {
    // SAFETY: V8 hands the isolate that it collects.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    // SAFETY: `on_gc` passes a `Work`.
    let work: Work = unsafe { std::mem::transmute(work) };
    work(&mut isolate);
}

/// Runs `work` in each GC prologue callback while `f` runs.
fn on_gc(isolate: &mut v8::Isolate, work: Work, f: impl FnOnce(&mut v8::Isolate)) {
    let data = work as *mut c_void;
    isolate.add_gc_prologue_callback(gc_callback, data, v8::GCType::kGCTypeAll);
    f(isolate);
    isolate.remove_gc_prologue_callback(gc_callback, data);
}

fn opens_a_scope(isolate: &mut v8::Isolate) {
    scope!(let scope, isolate);
    let _ = v8::Number::new(scope, 0.5);
}

thread_local! {
    static COLLECTIONS: Cell<u32> = const { Cell::new(0) };
}

fn counts(_: &mut v8::Isolate) {
    COLLECTIONS.with(|collections| collections.set(collections.get() + 1));
}

fn only(violations: &[Violation]) -> &Finding {
    assert_eq!(rules(violations), [Rule::InGc]);
    violations[0].finding()
}

#[test]
fn a_scope_in_a_gc_callback_is_found_by_v8s_own_word() {
    host!(scope, _context);
    let violations = testing::run(|| on_gc(scope, opens_a_scope, collect_garbage)).violations;
    let finding = only(&violations);
    assert!(matches!(
        finding,
        Finding::InGc(InGc {
            beginning: Beginning::Scope(_),
            phase: GcPhase::Callback,
            marked: None,
            ..
        })
    ));
    assert!(finding.place().unwrap().location.file().ends_with("gc.rs"));
    testing::assert_clean(|| {
        on_gc(scope, counts, collect_garbage);
        // The work that the callback queued, in a turn of its own.
        turn!(scope, "after the collection");
        opens_a_scope(scope);
    });
    assert!(COLLECTIONS.with(Cell::get) > 0);
}

#[test]
fn a_scope_in_a_marked_phase_is_found_and_the_phase_named() {
    host!(scope, _context);
    for phase in [GcPhase::FirstPass, GcPhase::Teardown] {
        let violations = testing::run(|| {
            let _gc = gc_guard(scope, phase, "on_gone");
            opens_a_scope(scope);
        })
        .violations;
        let Finding::InGc(InGc {
            phase: found,
            marked: Some(marked),
            ..
        }) = only(&violations)
        else {
            panic!("{}", violations[0]);
        };
        assert_eq!(*found, phase);
        assert_eq!(marked.name, Some("on_gone"));
        assert_eq!(violations[0].callee(), None, "V8 is not asked in there");
    }
}

#[test]
fn the_whole_message_of_in_gc() {
    host!(scope, _context);
    let violations = testing::run(|| {
        let _gc = gc_guard(scope, GcPhase::FirstPass, "on_gone");
        opens_a_scope(scope);
    })
    .violations;
    let text = violations[0].to_string();
    let line = text.lines().next().unwrap();
    let file = file!();
    // A hook knows the place from debug information, which shows it relative to where the test runs.
    let opened_in = match cfg!(feature = "interpose") {
        true => file.strip_prefix("tests/").unwrap_or(file),
        false => file,
    };
    let at = |name: &str, file: &str| format!("`{name}` at {file}:");
    assert!(
        line.starts_with(&format!(
            "handleguard: in-gc: HandleScope {}",
            at("v8::gc::opens_a_scope", opened_in)
        )),
        "{text}"
    );
    assert!(
        line.contains(&format!(
            " begins inside first-pass weak callback {}",
            at("on_gone", file)
        )),
        "{text}"
    );
    assert!(
        text.contains(
            "          help: note here only what is to be done, and do it in a task or turn of its own, after the collection\n"
        ),
        "{text}"
    );
}

/// Makes an object that nobody holds, with a finalizer that runs `work` in V8's second pass, and has it collected while a
/// scope is open.
fn finalized(scope: &mut v8::PinScope, work: impl FnOnce(&mut v8::Isolate) + 'static) {
    let done = std::rc::Rc::new(Cell::new(false));
    let weak = {
        scope!(let scope, scope);
        let object = v8::Object::new(scope);
        let done = done.clone();
        v8::Weak::with_finalizer(
            scope,
            object,
            Box::new(move |isolate| {
                work(isolate);
                done.set(true);
            }),
        )
    };
    scope!(let interrupted, scope);
    collect_garbage(interrupted);
    assert!(done.get(), "the finalizer ran");
    drop(weak);
}

#[test]
fn a_finalizer_that_leaves_a_handle_is_found_under_any_scope() {
    host!(scope, _context);
    let violations = testing::run(|| {
        turn!(scope, "loop");
        scope!(let busy, scope);
        finalized(busy, |isolate| {
            let _gc = gc_guard(isolate, GcPhase::SecondPass, "finalizer");
            // SAFETY: an isolate that V8 handed out; a callback scope opens no scope of V8's, which is the bug.
            v8::callback_scope!(unsafe scope, &mut *isolate);
            let _ = v8::Number::new(scope, 0.5);
        });
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::OuterGrowth], "{violations:#?}");
    assert_eq!(violations[0].handles(), 1);
    let turn = violations[0].finding().turn().unwrap();
    assert_eq!(turn.gc, Some(GcPhase::SecondPass));
    assert!(
        violations[0]
            .to_string()
            .starts_with("handleguard: outer-growth: finalizer `finalizer` at tests/v8/gc.rs:"),
        "{}",
        violations[0]
    );
    testing::assert_clean(|| {
        turn!(scope, "loop");
        scope!(let busy, scope);
        finalized(busy, |isolate| {
            let _gc = gc_guard(isolate, GcPhase::SecondPass, "finalizer");
            opens_a_scope(isolate);
        });
    });
}

/// Objects on the heap of `cppgc`, and what their destructors do.
mod cppgc {
    use super::*;
    use handleguard_tests::{collections, eval};
    use handleguard_v8::handleguard::finding::ScopeKind;

    thread_local! {
        /// What a destructor does, on the thread of its test.
        static WORK: Cell<Option<fn()>> = const { Cell::new(None) };
        static ISOLATE: Cell<*mut v8::Isolate> = const { Cell::new(std::ptr::null_mut()) };
        static DROPPED: Cell<u32> = const { Cell::new(0) };
        static DROPPED_LATE: Cell<u32> = const { Cell::new(0) };
    }

    struct Native;

    // SAFETY: it refers to nothing on the heap.
    unsafe impl v8::cppgc::GarbageCollected for Native {
        fn trace(&self, _: &mut v8::cppgc::Visitor) {}

        fn get_name(&self) -> &'static std::ffi::CStr {
            c"Native"
        }
    }

    impl Drop for Native {
        fn drop(&mut self) {
            if let Some(work) = WORK.get() {
                DROPPED.set(DROPPED.get() + 1);
                if !collections::in_progress() {
                    DROPPED_LATE.set(DROPPED_LATE.get() + 1);
                }
                work();
            }
        }
    }

    fn opens_a_scope_in_the_isolate() {
        // SAFETY: V8 runs the destructor on the thread of the isolate, which `sweeps` keeps alive. That it uses it is the bug.
        opens_a_scope(unsafe { &mut *ISOLATE.get() });
    }

    fn does_nothing() {}

    /// Runs turns that make objects and fill V8's heap, until V8 has swept some of the objects after a collection. Each destructor
    /// does `work`.
    fn sweeps(scope: &mut v8::PinScope, work: fn()) -> testing::Outcome<()> {
        collections::watch(scope);
        let isolate: &mut v8::Isolate = scope;
        ISOLATE.set(isolate);
        for counter in [&DROPPED, &DROPPED_LATE] {
            counter.set(0);
        }
        WORK.set(Some(work));
        let outcome = testing::run(|| {
            for _ in 0..1000 {
                turn!(scope, "loop");
                scope!(let scope, scope);
                let template = v8::FunctionTemplate::new(
                    scope,
                    |_: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue| {},
                );
                for _ in 0..3 {
                    let function = template.get_function(scope).unwrap();
                    let object = function.new_instance(scope, &[]).unwrap();
                    let heap = scope.get_cpp_heap().unwrap();
                    // SAFETY: the value is wrapped at once, with the tag of its type.
                    unsafe {
                        let native = v8::cppgc::make_garbage_collected(heap, Native);
                        v8::Object::wrap::<1, Native>(scope, object, &native);
                    }
                }
                eval(
                    scope,
                    "{ let a = []; for (let i = 0; i < 60000; i++) a.push({ i }); globalThis.kept = a }",
                );
                while v8::Platform::pump_message_loop(&v8::V8::get_current_platform(), scope, false)
                {
                }
                if DROPPED_LATE.get() > 0 {
                    break;
                }
            }
        });
        WORK.set(None);
        assert!(
            DROPPED_LATE.get() > 0,
            "V8 swept nothing after a collection"
        );
        outcome
    }

    #[test]
    fn each_destructor_that_opens_a_scope_is_found_also_when_v8_sweeps_late() {
        host!(scope, _context);
        let violations = sweeps(scope, opens_a_scope_in_the_isolate).violations;
        let found = violations
            .iter()
            .map(|violation| match violation.finding() {
                Finding::InGc(InGc {
                    beginning: Beginning::Scope(ScopeKind::HandleScope),
                    phase,
                    marked: None,
                    ..
                }) => *phase,
                other => panic!("{other}"),
            });
        let phases: Vec<GcPhase> = found.collect();
        assert_eq!(phases.len(), DROPPED.get() as usize, "{phases:?}");
        let late = phases.iter().filter(|phase| **phase == GcPhase::Destructor);
        assert_eq!(late.count(), DROPPED_LATE.get() as usize, "{phases:?}");
    }

    #[test]
    fn destructors_that_do_not_use_the_isolate_are_silent() {
        host!(scope, _context);
        let violations = sweeps(scope, does_nothing).violations;
        assert_eq!(rules(&violations), []);
    }
}

/// Runs a finalizer that calls JavaScript, in the child process `name`, after `mark` has marked it. V8 ends the process there, so the
/// report must come first, and end its sentence by `inside`.
fn assert_named_before_v8_aborts<Mark: 'static>(
    name: &str,
    mark: impl FnOnce(&mut v8::Isolate) -> Mark + 'static,
    inside: &str,
) {
    if is_child() {
        host!(scope, context);
        let context = v8::Global::new(scope, context);
        let on_gone = function(scope, "function onGone() {}");
        let on_gone = v8::Global::new(scope, on_gone);
        turn!(scope, "loop");
        scope!(let busy, scope);
        finalized(busy, move |isolate| {
            let _mark = mark(isolate);
            scope!(let scope, isolate);
            let context = v8::Local::new(scope, context);
            let scope = &mut v8::ContextScope::new(scope, context);
            let on_gone = v8::Local::new(scope, on_gone);
            let undefined = v8::undefined(scope).into();
            on_gone.guarded_call(scope, undefined, &[]);
        });
        unreachable!("V8 forbids it");
    }
    let output = child(name, "log,tick=off");
    let text = String::from_utf8_lossy(&output.stderr);
    let report = text.find("handleguard: in-gc: callback `v8::gc::");
    let v8 = text.find("Invoke in DisallowJavascriptExecutionScope");
    assert!(report.is_some() && v8.is_some() && report < v8, "{text}");
    assert!(text.contains(inside), "{text}");
}

#[test]
fn an_unmarked_finalizer_that_calls_javascript_is_named_before_v8_aborts() {
    assert_named_before_v8_aborts(
        "gc::an_unmarked_finalizer_that_calls_javascript_is_named_before_v8_aborts",
        |_| (),
        " begins inside a finalizer\n",
    );
}

#[test]
fn an_unmarked_finalizer_that_opens_a_scope_is_silent_and_so_is_what_comes_after_it() {
    host!(scope, _context);
    let callee = function(scope, "function onTick() {}");
    let undefined = v8::undefined(scope).into();
    testing::assert_clean(|| {
        for _ in 0..3 {
            turn!(scope, "loop");
            scope!(let busy, scope);
            finalized(busy, opens_a_scope);
            scope!(let busy, busy);
            callee.guarded_call(busy, undefined, &[]);
        }
    });
}

#[test]
fn a_finalizer_that_calls_javascript_is_named_before_v8_aborts() {
    assert_named_before_v8_aborts(
        "gc::a_finalizer_that_calls_javascript_is_named_before_v8_aborts",
        |isolate| gc_guard(isolate, GcPhase::SecondPass, "finalizer"),
        " begins inside finalizer `finalizer` at tests/v8/gc.rs:",
    );
}

fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(Violation::rule).collect()
}
