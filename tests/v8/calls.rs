//! Every guarded call into JavaScript is checked, and returns what the plain one returns.

use handleguard_tests::{eval, function, host, origin};
use handleguard_v8::handleguard::Rule;
use handleguard_v8::{
    GuardedFunction, GuardedIsolate, GuardedMicrotaskQueue, GuardedModule, GuardedScript,
    make_callback, scope, tc_scope, testing, turn,
};
use std::ffi::c_void;
use std::ptr;

/// The function that calls each twin below: a report names it, and not the twin.
const CALLER: &str = "v8::calls::every_way_into_javascript_is_judged::{{closure}}";

/// Runs `call` twice in a turn: without a scope, which must be reported as `name`, and in one, which must be silent.
fn judged(
    scope: &mut v8::PinScope,
    name: &str,
    mut call: impl for<'s> FnMut(&mut v8::PinScope<'s, '_>),
) {
    let violations = testing::run(|| {
        turn!(scope, "loop");
        call(scope);
    })
    .violations;
    assert_eq!(violations.len(), 1, "{name}: {violations:#?}");
    assert_eq!(violations[0].rule(), Rule::MissingScope);
    let callback = violations[0].finding().callback().unwrap();
    assert_eq!(callback.name, Some(name));
    assert!(callback.location.file().ends_with("calls.rs"));
    testing::assert_clean(|| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        call(scope);
    });
}

fn module<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Module> {
    let source = v8::String::new(scope, "globalThis.evaluated = 1").unwrap();
    let origin = origin(scope, "module.js", true);
    let mut source = v8::script_compiler::Source::new(source, Some(&origin));
    let module = v8::script_compiler::compile_module(scope, &mut source).unwrap();
    module.instantiate_module(scope, |_, _, _, _| None).unwrap();
    module
}

#[test]
fn every_way_into_javascript_is_judged() {
    host!(scope, context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    let two = function(scope, "function Two() { return 2 }");
    let object = v8::Object::new(scope);

    judged(scope, CALLER, |scope| {
        let result = two.guarded_call(scope, undefined, &[]).unwrap();
        assert_eq!(result.uint32_value(scope), Some(2));
    });
    judged(scope, CALLER, |scope| {
        let result = two
            .guarded_call_with_context(scope, context, undefined, &[])
            .unwrap();
        assert_eq!(result.uint32_value(scope), Some(2));
    });
    judged(scope, CALLER, |scope| {
        assert!(two.guarded_new_instance(scope, &[]).unwrap().is_object());
    });
    let source = v8::String::new(scope, "3").unwrap();
    let script = v8::Script::compile(scope, source, None).unwrap();
    judged(scope, CALLER, |scope| {
        let result = script.guarded_run(scope).unwrap();
        assert_eq!(result.uint32_value(scope), Some(3));
    });
    let module = module(scope);
    judged(scope, CALLER, |scope| {
        assert!(module.guarded_evaluate(scope).unwrap().is_promise());
    });
    judged(scope, "on_event", |scope| {
        let result = make_callback(scope, "on_event", object, two, &[]).unwrap();
        assert_eq!(result.uint32_value(scope), Some(2));
    });
}

/// An entry from C has no scope at hand until it makes one of its argument, and the line under `help` compiles right after that.
#[test]
fn the_line_under_help_compiles_in_an_entry_from_c() {
    struct Timer<'a> {
        isolate: &'a mut v8::Isolate,
        context: v8::Global<v8::Context>,
        callee: v8::Global<v8::Function>,
    }
    unsafe extern "C" fn on_timer(timer: *mut c_void) {
        // SAFETY: the test passes a `Timer`.
        let timer = unsafe { &mut *timer.cast::<Timer<'_>>() };
        handleguard_v8::callback_scope!(unsafe scope, &mut *timer.isolate);
        let context = v8::Local::new(scope, &timer.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let callee = v8::Local::new(scope, &timer.callee);
        let undefined = v8::undefined(scope).into();
        callee.guarded_call(scope, undefined, &[]);
    }
    unsafe extern "C" fn on_timer_as_the_help_says(timer: *mut c_void) {
        // SAFETY: the test passes a `Timer`.
        let timer = unsafe { &mut *timer.cast::<Timer<'_>>() };
        handleguard_v8::callback_scope!(unsafe scope, &mut *timer.isolate);
        handleguard_v8::scope!(let scope, scope);
        let context = v8::Local::new(scope, &timer.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let callee = v8::Local::new(scope, &timer.callee);
        let undefined = v8::undefined(scope).into();
        callee.guarded_call(scope, undefined, &[]);
    }

    host!(scope, context);
    let callee = function(scope, "() => ({})");
    let callee = v8::Global::new(scope, callee);
    let context = v8::Global::new(scope, context);
    let run = |isolate: &mut v8::Isolate, entry: unsafe extern "C" fn(*mut c_void)| {
        let mut timer = Timer {
            isolate,
            context: context.clone(),
            callee: callee.clone(),
        };
        handleguard_v8::turn!("loop");
        // SAFETY: a `Timer`, as both entries require.
        unsafe { entry((&raw mut timer).cast()) };
    };
    let violations = testing::run(|| run(scope, on_timer)).violations;
    let [violation] = violations.as_slice() else {
        panic!("{violations:#?}");
    };
    let text = violation.to_string();
    assert!(
        text.contains(
            "          help: open a scope in `v8::calls::the_line_under_help_compiles_in_an_entry_from_c::on_timer` before its first handle: \
             `handleguard_v8::scope!(let scope, scope);`\n"
        ),
        "{text}"
    );
    testing::assert_clean(|| run(scope, on_timer_as_the_help_says));
}

/// V8 opens a scope for the microtasks (`microtask-queue.cc`, `MicrotaskQueue::RunMicrotasks`).
#[test]
fn a_checkpoint_needs_no_scope_and_leaves_no_handle() {
    host!(scope, _context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    eval(scope, "globalThis.drained = 0");
    let task = function(
        scope,
        "() => Promise.resolve().then(() => ({ n: drained++ }))",
    );
    let queue = v8::MicrotaskQueue::new(scope, v8::MicrotasksPolicy::Explicit);
    testing::assert_at_most(scope, 0, |scope| {
        testing::assert_clean(|| {
            for _ in 0..100 {
                turn!(scope, "loop");
                {
                    scope!(let scope, scope);
                    scope.enqueue_microtask(task);
                }
                scope.guarded_perform_microtask_checkpoint();
                queue.guarded_perform_checkpoint(scope);
            }
        });
    });
    assert_eq!(eval(scope, "drained").uint32_value(scope), Some(100));
}

unsafe extern "C" {
    /// `Isolate::AddMicrotasksCompletedCallback`, which the v8 crate does not bind.
    #[link_name = "_ZN2v87Isolate30AddMicrotasksCompletedCallbackEPFvPS0_PvES2_"]
    fn add_completed_callback(
        isolate: v8::UnsafeRawIsolatePtr,
        callback: unsafe extern "C" fn(v8::UnsafeRawIsolatePtr, *mut c_void),
        data: *mut c_void,
    );
    fn v8__Undefined(isolate: v8::UnsafeRawIsolatePtr) -> *const c_void;
    fn v8__Local__New(isolate: v8::UnsafeRawIsolatePtr, value: *const c_void) -> *const c_void;
}

/// V8 calls the host's own code after the last microtask, outside the scope that it opened for them
/// (`MicrotaskQueue::OnCompleted`).
#[test]
fn a_handle_that_a_checkpoint_leaves_is_growth() {
    unsafe extern "C" fn completed(isolate: v8::UnsafeRawIsolatePtr, _: *mut c_void) {
        // SAFETY: V8 passes the isolate, which this thread has entered, and the host's scope is open.
        unsafe { v8__Local__New(isolate, v8__Undefined(isolate)) };
    }

    host!(scope, _context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    // SAFETY: the isolate is live, and V8 calls the function as it is declared.
    unsafe { add_completed_callback(scope.as_raw_isolate_ptr(), completed, ptr::null_mut()) };
    let violations = testing::run(|| {
        turn!(scope, "loop");
        scope.guarded_perform_microtask_checkpoint();
    })
    .violations;
    assert_eq!(violations.len(), 1, "{violations:#?}");
    assert_eq!(violations[0].rule(), Rule::OuterGrowth);
    assert_eq!(violations[0].handles(), 1);
    assert_eq!(
        violations[0].finding().callback().unwrap().name,
        Some("v8::calls::a_handle_that_a_checkpoint_leaves_is_growth::{{closure}}")
    );
    testing::assert_clean(|| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        scope.guarded_perform_microtask_checkpoint();
    });
}

#[test]
fn make_callback_drains_microtasks_after_the_outermost_only() {
    fn nested(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let inner: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let this = args.this();
        make_callback(scope, "inner", this, inner, &[]);
        assert_eq!(eval(scope, "drained").uint32_value(scope), Some(0));
    }

    host!(scope, context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    eval(scope, "globalThis.drained = 0");
    let global = context.global(scope);
    let inner = function(scope, "() => { Promise.resolve().then(() => drained++) }");
    let nested = v8::Function::new(scope, nested).unwrap();
    make_callback(scope, "outer", global, nested, &[inner.into()]).unwrap();
    assert_eq!(eval(scope, "drained").uint32_value(scope), Some(1));
}

#[test]
fn make_callback_of_a_function_that_throws_gives_nothing_and_drains_nothing() {
    host!(scope, context);
    scope.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    eval(scope, "globalThis.drained = 0");
    let global = context.global(scope);
    let throws = function(
        scope,
        "() => { Promise.resolve().then(() => drained++); throw new Error('no') }",
    );
    {
        tc_scope!(let scope, scope);
        assert!(make_callback(scope, "throws", global, throws, &[]).is_none());
        let exception = scope.exception().unwrap();
        assert_eq!(exception.to_rust_string_lossy(scope), "Error: no");
    }
    assert_eq!(eval(scope, "drained").uint32_value(scope), Some(0));
}
