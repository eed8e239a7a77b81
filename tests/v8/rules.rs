//! Each rule on real V8: the bug is found with the right places and counts, and its mended twin is silent.

use handleguard_tests::{child, function, host, is_child, start_v8};
use handleguard_v8::handleguard::finding::{
    Ended, Finding, MissingScope, NeverClosed, Opener, OutOfOrder, OuterGrowth, ScopeBudget,
    ScopeKind, StillOpen,
};
use handleguard_v8::handleguard::{self, Rule, Violation};
use handleguard_v8::{
    GuardedFunction, GuardedScript, callback_guard, handles, make_callback, scope, scope_guard,
    testing, turn,
};

/// Runs `test` in a host as of 2013, with one scope, opened here, that lives as long as the process.
fn host(test: impl FnOnce(&mut v8::PinScope)) {
    host!(scope, context);
    test(scope);
}

fn on_close(scope: &mut v8::PinScope, callback: &v8::Global<v8::Function>) {
    let callback = v8::Local::new(scope, callback);
    let process = v8::Object::new(scope);
    make_callback(scope, "on_close", process, callback, &[]);
}

/// The line of `make_callback` above.
const ON_CLOSE_LINE: u32 = line!() - 4;

fn callback(scope: &v8::PinScope) -> v8::Global<v8::Function> {
    let callback = function(scope, "function onClose() {}");
    v8::Global::new(scope, callback)
}

fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(Violation::rule).collect()
}

#[test]
fn the_founding_case_is_found_in_its_first_turn_with_every_handle_counted() {
    host(|scope| {
        let on_close_js = callback(scope);
        let before = handles(scope).unwrap();
        let turns = 100;
        let violations = testing::run(|| {
            for _ in 0..turns {
                turn!(scope, "loop");
                on_close(scope, &on_close_js);
            }
        })
        .violations;
        let grown = handles(scope).unwrap() - before;

        assert_eq!(rules(&violations), vec![Rule::MissingScope; turns]);
        let first = &violations[0];
        let callback = first.finding().callback().unwrap();
        assert_eq!(callback.name, Some("on_close"));
        assert!(callback.location.file().ends_with("rules.rs"));
        assert_eq!(callback.location.line(), ON_CLOSE_LINE);
        let opener = first.finding().opener().unwrap();
        assert_eq!(opener.place.name, Some("v8::rules::host"));
        assert_eq!(first.callee(), Some("onClose (handlers.js:1:18)"));
        assert!(grown >= turns as u64);
        assert_eq!(
            violations.iter().map(Violation::handles).sum::<u64>(),
            grown
        );
    });
}

#[test]
fn the_mended_founding_case_is_silent_and_does_not_grow() {
    host(|scope| {
        let on_close_js = callback(scope);
        testing::assert_at_most(scope, 0, |scope| {
            testing::assert_clean(|| {
                for _ in 0..10_000 {
                    turn!(scope, "loop");
                    scope!(let scope, scope);
                    on_close(scope, &on_close_js);
                }
            })
        });
    });
}

#[test]
fn with_no_scope_at_all_the_callback_is_named_before_v8_aborts() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    let violations = testing::run(|| {
        turn!(isolate, "loop");
        let _callback = callback_guard(isolate, "bare");
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::MissingScope]);
    assert!(matches!(
        violations[0].finding(),
        Finding::MissingScope(MissingScope {
            opener: Opener::Nothing,
            ..
        })
    ));
}

#[test]
fn a_scope_opened_without_a_guard_counts_as_enclosing_and_as_swallowing() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let on_close_js = callback(scope);
    let violations = testing::run(|| {
        turn!(scope, "loop");
        on_close(scope, &on_close_js);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::MissingScope]);
    let Finding::MissingScope(MissingScope { opener, .. }) = violations[0].finding() else {
        panic!("{}", violations[0]);
    };
    // A hook sees it, and names it.
    match opener {
        Opener::Known(scope) if cfg!(feature = "interpose") => {
            assert!(scope.place.location.file().ends_with("rules.rs"));
        }
        opener => assert_eq!(*opener, Opener::Unrecorded),
    }
    testing::assert_clean(|| {
        turn!(scope, "loop");
        v8::scope!(let scope, scope);
        on_close(scope, &on_close_js);
    });
}

#[test]
fn a_handle_made_before_the_scope_opens_is_growth_of_the_turn() {
    host(|scope| {
        let on_close_js = callback(scope);
        let violations = testing::run(|| {
            turn!(scope, "too late");
            let _ = v8::Number::new(scope, 0.5);
            scope!(let scope, scope);
            on_close(scope, &on_close_js);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::OuterGrowth]);
        assert!(matches!(
            violations[0].finding(),
            Finding::OuterGrowth(OuterGrowth { ended: Ended::Turn, grown: 1, turn, .. }) if turn.place.name == Some("too late")
        ));
    });
}

#[test]
fn an_idle_turn_that_leaks_one_handle_is_found() {
    host(|scope| {
        let context = scope.get_current_context();
        let context = v8::Global::new(scope, context);
        let violations = testing::run(|| {
            turn!(scope, "frame");
            let _ = v8::Local::new(scope, &context);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::OuterGrowth]);
        assert_eq!(violations[0].handles(), 1);
        testing::assert_clean(|| {
            turn!(scope, "frame");
            scope!(let scope, scope);
            let _ = v8::Local::new(scope, &context);
        });
    });
}

#[test]
fn a_handle_escaped_into_the_root_scope_is_found() {
    fn after_work(scope: &mut v8::PinScope) {
        handleguard_v8::escapable_handle_scope!(let scope, scope);
        let value = v8::Number::new(scope, 0.5);
        scope.escape(value);
    }

    host(|scope| {
        let violations = testing::run(|| {
            turn!(scope, "after work");
            after_work(scope);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::OuterGrowth]);
        assert_eq!(violations[0].handles(), 1);
    });
}

#[test]
fn scopes_closed_in_the_wrong_order_are_named_both() {
    host(|scope| {
        let violations = testing::run(|| {
            let outer = boxed_scope(scope, "outer");
            let inner = boxed_scope(scope, "inner");
            drop(outer);
            drop(inner);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::OutOfOrder]);
        let Finding::OutOfOrder(OutOfOrder { closing, open, .. }) = violations[0].finding() else {
            panic!("{}", violations[0]);
        };
        assert_eq!(closing.place.name, Some("outer"));
        assert!(matches!(open, StillOpen::Scope(scope) if scope.place.name == Some("inner")));
        testing::assert_clean(|| {
            let _outer = boxed_scope(scope, "outer");
            let _inner = boxed_scope(scope, "inner");
        });
    });
}

/// Opens a V8 scope in a box, with its guard, for the caller to close in whatever order.
fn boxed_scope(isolate: &mut v8::Isolate, name: &'static str) -> impl Sized + use<> {
    // SAFETY: the same isolate, which the tests keep alive for longer than the scope.
    let isolate: &'static mut v8::Isolate = unsafe { &mut *(isolate as *mut _) };
    let mut storage = Box::pin(v8::HandleScope::new(isolate));
    let guard = scope_guard(&mut storage.as_mut().init(), ScopeKind::HandleScope, name);
    (guard, storage)
}

/// Opens a V8 scope, with its guard, that nobody closes.
fn leak_scope(isolate: &mut v8::Isolate) {
    std::mem::forget(boxed_scope(isolate, "leak_scope"));
}

#[test]
fn a_scope_left_open_by_a_turn_is_named_once_and_as_what_swallows_later_handles() {
    host(|scope| {
        let on_close_js = callback(scope);
        let violations = testing::run(|| {
            {
                turn!(scope, "forgetful");
                leak_scope(scope);
            }
            turn!(scope, "loop");
            on_close(scope, &on_close_js);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::NeverClosed, Rule::MissingScope]);
        for violation in &violations {
            let opener = violation.finding().opener().unwrap();
            assert_eq!(opener.place.name, Some("leak_scope"));
        }
    });
}

#[test]
fn a_forgotten_guard_whose_v8_scope_closed_is_our_own_limit_and_accuses_nobody() {
    host(|scope| {
        testing::assert_clean(|| {
            turn!(scope, "loop");
            v8::scope!(let scope, scope);
            let _ = v8::Number::new(scope, 0.5);
            std::mem::forget(scope_guard(scope, ScopeKind::HandleScope, "forgotten"));
        });
        assert_eq!(handleguard::depth(), 1);
    });
}

/// A hook sees the scopes close, whatever becomes of their guards.
#[cfg(not(feature = "interpose"))]
#[test]
fn a_disagreement_with_v8_is_reported_once_and_the_next_turn_is_checked_again() {
    host(|scope| {
        let on_close_js = callback(scope);
        let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
        let function = v8::Local::new(scope, &on_close_js);
        let violations = testing::run(|| {
            turn!(scope, "out of step");
            for _ in 0..2 {
                v8::scope!(let scope, scope);
                std::mem::forget(scope_guard(scope, ScopeKind::HandleScope, "forgotten"));
            }
            // Its scope is correct, so nothing is reported.
            scope!(let scope, scope);
            function.guarded_call(scope, undefined, &[]);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::Desync]);
        assert!(matches!(
            violations[0].finding(),
            Finding::Desync(handleguard::finding::Desync { recorded, level, innermost, .. })
                if innermost.name == Some("forgotten") && *recorded == level + 1
        ));
        let violations = testing::run(|| {
            turn!(scope, "in step again");
            on_close(scope, &on_close_js);
        })
        .violations;
        assert_eq!(rules(&violations), [Rule::MissingScope]);
    });
}

#[test]
fn a_scope_open_when_its_isolate_is_disposed_is_named() {
    start_v8();
    let violations = testing::run(|| {
        let mut isolate = v8::Isolate::new(Default::default());
        leak_scope(&mut isolate);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::NeverClosed]);
    assert!(matches!(
        violations[0].finding(),
        Finding::NeverClosed(NeverClosed {
            // A hook sees the isolate left before it is disposed of.
            ended: Ended::Isolate | Ended::Exit(_),
            scope: Opener::Known(scope),
            ..
        }) if scope.place.name == Some("leak_scope")
    ));
}

#[test]
fn an_isolate_disposed_with_every_scope_closed_is_silent() {
    start_v8();
    testing::assert_clean(|| {
        for _ in 0..10 {
            let isolate = &mut v8::Isolate::new(Default::default());
            scope!(let scope, isolate);
            let _ = v8::Number::new(scope, 0.5);
        }
    });
}

#[test]
fn the_report_itself_changes_no_count() {
    host(|scope| {
        let undefined = v8::undefined(scope).into();
        let call = function(scope, "() => 1");
        call.call(scope, undefined, &[]);
        let before = handles(scope).unwrap();
        call.call(scope, undefined, &[]);
        let plain = handles(scope).unwrap() - before;
        let violations = testing::run(|| {
            turn!(scope, "loop");
            call.guarded_call(scope, undefined, &[]);
        })
        .violations;
        assert_eq!(
            violations[0].callee(),
            Some("<anonymous> (handlers.js:1:2)")
        );
        assert_eq!(handles(scope).unwrap() - before - plain, plain);
        assert_eq!(violations[0].handles(), plain);
    });
}

#[test]
fn a_path_that_only_a_javascript_callers_scope_hides_is_found_in_strict_mode() {
    /// A reply that makes its promise before it opens a scope (electron #50556): right when JavaScript asks for it
    /// synchronously, a leak when the loop delivers it.
    fn reply(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let resolve: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        resolve.guarded_call(scope, undefined, &[]);
    }

    fn mended(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        scope!(let scope, scope);
        let resolve: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        resolve.guarded_call(scope, undefined, &[]);
    }

    host(|scope| {
        let ask = function(scope, "(reply) => reply(() => 1)");
        let undefined = v8::undefined(scope).into();
        let reply = v8::Function::new(scope, reply).unwrap();
        let mended = v8::Function::new(scope, mended).unwrap();
        let mut asked = |native: v8::Local<v8::Function>| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            ask.guarded_call(scope, undefined, &[native.into()]);
        };
        testing::assert_clean(|| asked(reply));
        let violations = testing::run_strictly(|| asked(reply)).violations;
        assert_eq!(rules(&violations), [Rule::MissingScope]);
        assert!(matches!(
            violations[0].finding(),
            Finding::MissingScope(MissingScope {
                opener: Opener::Caller(caller),
                ..
            }) if caller.name.is_some_and(|name| name.ends_with("::{{closure}}"))
        ));
        assert!(
            testing::run_strictly(|| asked(mended))
                .violations
                .is_empty()
        );
    });
}

/// Native code that V8 calls on its own account: the loop never does, so its caller's scope is always there.
mod called_by_v8 {
    use super::*;
    use handleguard_v8::GuardedModule;
    use v8::{Context, Function, Local, Module, Object, PinScope, Promise, Value};

    /// Calls the function `called` of the context.
    fn calls_back(scope: &mut PinScope, context: Local<Context>) {
        let scope = &mut v8::ContextScope::new(scope, context);
        let name = v8::String::new(scope, "called").unwrap();
        let called = context.global(scope).get(scope, name.into()).unwrap();
        let undefined = v8::undefined(scope).into();
        let called: Local<Function> = called.try_into().unwrap();
        called.guarded_call(scope, undefined, &[]);
    }

    extern "C" fn import_meta(context: Local<Context>, _: Local<Module>, _: Local<Object>) {
        v8::callback_scope!(unsafe let scope, context);
        calls_back(scope, context);
    }

    extern "C" fn promise_hook(_: v8::PromiseHookType, promise: Local<Promise>, _: Local<Value>) {
        v8::callback_scope!(unsafe let scope, promise);
        let context = scope.get_current_context();
        calls_back(scope, context);
    }

    fn import<'s>(
        scope: &mut PinScope<'s, '_>,
        _: Local<'s, v8::Data>,
        _: Local<'s, Value>,
        _: Local<'s, v8::String>,
        _: Local<'s, v8::FixedArray>,
    ) -> Option<Local<'s, Promise>> {
        let context = scope.get_current_context();
        calls_back(scope, context);
        Some(v8::PromiseResolver::new(scope)?.get_promise(scope))
    }

    fn prepare_stack<'s>(
        scope: &mut PinScope<'s, '_>,
        _: Local<'s, Value>,
        _: Local<'s, v8::Array>,
    ) -> Local<'s, Value> {
        let context = scope.get_current_context();
        calls_back(scope, context);
        v8::undefined(scope).into()
    }

    /// Runs `source` as a module, in a scope of its turn, and returns what strict mode reports and how often `called` was called.
    fn run(set: impl FnOnce(&mut v8::Isolate), source: &str) -> (Vec<Violation>, Option<u32>) {
        host!(scope, context);
        handleguard_tests::eval(
            scope,
            "globalThis.count = 0; globalThis.called = () => { count++ }",
        );
        set(scope);
        let source = v8::String::new(scope, source).unwrap();
        let origin = handleguard_tests::origin(scope, "module.js", true);
        let mut source = v8::script_compiler::Source::new(source, Some(&origin));
        let module = v8::script_compiler::compile_module(scope, &mut source).unwrap();
        module.instantiate_module(scope, |_, _, _, _| None).unwrap();
        let report = testing::run_strictly(|| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            let _ = module.guarded_evaluate(scope);
        });
        let count = handleguard_tests::eval(scope, "count").uint32_value(scope);
        let _ = context;
        (report.violations, count)
    }

    #[test]
    fn strict_mode_accuses_no_hook_of_v8() {
        let (violations, count) = run(
            |isolate| isolate.set_host_initialize_import_meta_object_callback(import_meta),
            "import.meta",
        );
        assert_eq!(
            (rules(&violations), count),
            (vec![], Some(1)),
            "{violations:#?}"
        );
        let (violations, count) = run(
            |isolate| isolate.set_promise_hook(promise_hook),
            "new Promise(() => {})",
        );
        assert!(violations.is_empty() && count >= Some(1), "{violations:#?}");
        let (violations, count) = run(
            |isolate| isolate.set_host_import_module_dynamically_callback(import),
            "import('other.js')",
        );
        assert_eq!(
            (rules(&violations), count),
            (vec![], Some(1)),
            "{violations:#?}"
        );
        let (violations, count) = run(
            |isolate| isolate.set_prepare_stack_trace_callback(prepare_stack),
            "new Error('a').stack",
        );
        assert_eq!(
            (rules(&violations), count),
            (vec![], Some(1)),
            "{violations:#?}"
        );
    }

    fn stream(scope: &mut PinScope, _: Local<Value>, streaming: v8::WasmStreaming<false>) {
        let context = scope.get_current_context();
        calls_back(scope, context);
        streaming.abort(None);
    }

    /// V8 wraps this callback in a function that it calls as JavaScript calls a native function.
    #[test]
    fn strict_mode_accuses_no_callback_for_webassembly_streaming() {
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        // Before the context is made, which has `compileStreaming` only then.
        isolate.set_wasm_streaming_callback(stream);
        scope!(let scope, isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        handleguard_tests::eval(
            scope,
            "globalThis.count = 0; globalThis.called = () => { count++ }",
        );
        let compile = function(
            scope,
            "() => { WebAssembly.compileStreaming('source').catch(() => {}) }",
        );
        let undefined = v8::undefined(scope).into();
        let violations = testing::run_strictly(|| {
            turn!(scope, "loop");
            scope!(let scope, scope);
            compile.guarded_call(scope, undefined, &[]);
        })
        .violations;
        let count = handleguard_tests::eval(scope, "count").uint32_value(scope);
        assert_eq!(
            (rules(&violations), count),
            (vec![], Some(1)),
            "{violations:#?}"
        );
    }
}

/// The worker of rusty_v8 #481: a loop that never leaves its one scope, and so never ends a turn.
fn compile_in_one_scope(scope: &mut v8::PinScope, rounds: usize, mended: bool) {
    scope!(let scope, scope);
    for _ in 0..rounds {
        if mended {
            scope!(let scope, scope);
            compile_one(scope);
        } else {
            compile_one(scope);
        }
    }
}

fn compile_one(scope: &mut v8::PinScope) {
    let source = v8::String::new(scope, "1").unwrap();
    let script = v8::Script::compile(scope, source, None).unwrap();
    script.guarded_run(scope);
}

#[test]
fn a_scope_over_its_budget_is_found_while_it_is_open() {
    if is_child() {
        host(|scope| {
            let violations = testing::run(|| {
                turn!(scope, "worker");
                compile_in_one_scope(scope, 1000, false);
            })
            .violations;
            assert_eq!(
                rules(&violations),
                [Rule::ScopeBudget],
                "once for the scope"
            );
            let Finding::ScopeBudget(ScopeBudget {
                scope: over,
                held,
                budget,
                ..
            }) = violations[0].finding()
            else {
                panic!("{}", violations[0]);
            };
            assert_eq!(*budget, 100);
            assert!(
                (101..110).contains(held),
                "found when it was just over: {held}"
            );
            assert_eq!(over.place.name, Some("v8::rules::compile_in_one_scope"));
            testing::assert_clean(|| {
                turn!(scope, "worker");
                compile_in_one_scope(scope, 1000, true);
            });
        });
        return;
    }
    let test = "rules::a_scope_over_its_budget_is_found_while_it_is_open";
    let output = child(test, "scope-budget=100");
    assert!(output.status.success());
}

#[test]
fn without_a_budget_no_scope_is_too_full() {
    host(|scope| {
        testing::assert_clean(|| {
            turn!(scope, "worker");
            compile_in_one_scope(scope, 1000, false);
        });
    });
}
