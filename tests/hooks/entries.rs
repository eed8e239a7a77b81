//! JavaScript that runs inside V8's own functions, and tasks of V8's that the host runs.
//!
//! No hook judges the functions that may run JavaScript and mostly do not (`integration/entries.txt`): what a host leaves by them
//! is `outer-growth`, with the function of the host.

use super::rules;
use handleguard_tests::{eval, function};
use handleguard_v8::handleguard::{self, Place, Rule};
use handleguard_v8::{testing, turn};
use std::collections::VecDeque;
use v8::{Global, Local, PinScope, Value};

/// Enters JavaScript, or a callback of the host's, by one function of V8's, with the value that was made for it.
type Enter = fn(&mut PinScope, Local<Value>);

struct Way {
    name: &'static str,
    /// The value, in JavaScript.
    source: &'static str,
    /// JavaScript runs on each call, and adds one to `globalThis.entered`.
    enter: Enter,
}

fn object(value: Local<Value>) -> Local<v8::Object> {
    value.try_into().unwrap()
}

const WAYS: &[Way] = &[
    Way {
        name: "getter",
        source: "({ get x() { entered++; return {} } })",
        enter: |scope, value| {
            let key = v8::String::new(scope, "x").unwrap();
            object(value).get(scope, key.into()).unwrap();
        },
    },
    Way {
        name: "setter",
        source: "({ set x(_) { entered++ } })",
        enter: |scope, value| {
            let key = v8::String::new(scope, "x").unwrap();
            object(value).set(scope, key.into(), value).unwrap();
        },
    },
    Way {
        name: "indexed getter",
        source: "({ get 0() { entered++; return {} } })",
        enter: |scope, value| {
            object(value).get_index(scope, 0).unwrap();
        },
    },
    Way {
        name: "proxy",
        source: "new Proxy({}, { has() { entered++; return true } })",
        enter: |scope, value| {
            let key = v8::String::new(scope, "x").unwrap();
            object(value).has(scope, key.into()).unwrap();
        },
    },
    Way {
        name: "keys of a proxy",
        source: "new Proxy({}, { ownKeys() { entered++; return [] } })",
        enter: |scope, value| {
            object(value)
                .get_own_property_names(scope, Default::default())
                .unwrap();
        },
    },
    Way {
        name: "toString",
        source: "({ toString() { entered++; return 'text' } })",
        enter: |scope, value| {
            value.to_string(scope).unwrap();
        },
    },
    Way {
        name: "valueOf",
        source: "({ valueOf() { entered++; return 0.5 } })",
        enter: |scope, value| {
            value.to_number(scope).unwrap();
        },
    },
    Way {
        name: "instanceof",
        source: "({ [Symbol.hasInstance]() { entered++; return true } })",
        enter: |scope, value| {
            let number = v8::Number::new(scope, 0.5);
            number.instance_of(scope, object(value)).unwrap();
        },
    },
    Way {
        name: "toJSON",
        source: "({ toJSON() { entered++; return 1 } })",
        enter: |scope, value| {
            v8::json::stringify(scope, value).unwrap();
        },
    },
    Way {
        name: "resolve",
        source: "({ get then() { entered++ } })",
        enter: |scope, value| {
            // The look-up of `then` is JavaScript.
            let resolver = v8::PromiseResolver::new(scope).unwrap();
            resolver.resolve(scope, value).unwrap();
        },
    },
    Way {
        name: "reject",
        source: "(() => { entered++ })",
        enter: |scope, value| {
            let reaction = value.try_into().unwrap();
            let resolver = v8::PromiseResolver::new(scope).unwrap();
            let promise = resolver.get_promise(scope);
            promise.catch(scope, reaction).unwrap();
            resolver.reject(scope, value).unwrap();
        },
    },
];

#[inline(never)]
fn enters(scope: &mut PinScope, way: &Way, value: &Global<Value>) {
    let value = Local::new(scope, value);
    (way.enter)(scope, value);
}

/// How often JavaScript was entered so far.
fn entered(scope: &mut PinScope) -> u32 {
    count(scope, "entered")
}

fn value(scope: &mut PinScope, source: &str) -> Global<Value> {
    v8::scope!(let scope, scope);
    let value = eval(scope, source);
    Global::new(scope, value)
}

#[test]
fn what_a_function_of_v8s_that_enters_javascript_leaves_is_growth_of_the_function_that_calls_it() {
    plain_host!(scope);
    value(scope, "globalThis.entered = 0");
    for way in WAYS {
        let subject = value(scope, way.source);
        let before = entered(scope);
        let violations = testing::run(|| {
            turn!(scope, "loop");
            enters(scope, way, &subject);
        })
        .violations;
        assert_eq!(entered(scope), before + 1, "{}", way.name);
        let name = way.name;
        assert_eq!(
            rules(&violations),
            [Rule::OuterGrowth],
            "{name}: {violations:#?}"
        );
        let makers = violations[0].finding().makers();
        let named = |place: Place| {
            let name = place.name.unwrap_or_default();
            name == "hooks::entries::enters" || name.starts_with("hooks::entries::WAYS::")
        };
        assert!(
            makers.iter().count() > 0
                && makers
                    .iter()
                    .all(|maker| named(maker.place) || maker.caller.is_some_and(named)),
            "{name}: {makers:#?}"
        );
    }
}

/// In a scope of the host's, and below JavaScript, where V8 has one.
#[test]
fn a_function_of_v8s_that_enters_javascript_is_silent_in_a_scope_and_below_javascript() {
    fn native(
        scope: &mut PinScope,
        args: v8::FunctionCallbackArguments,
        _: v8::ReturnValue<Value>,
    ) {
        let at = args.get(0).uint32_value(scope).unwrap() as usize;
        let value = args.get(1);
        (WAYS[at].enter)(scope, value);
    }
    plain_host!(scope);
    value(scope, "globalThis.entered = 0");
    let native = {
        v8::scope!(let scope, scope);
        let native = v8::Function::new(scope, native).unwrap();
        let caller = function(scope, "(native, at, value) => native(at, value)");
        (Global::new(scope, native), Global::new(scope, caller))
    };
    for (at, way) in WAYS.iter().enumerate() {
        let subject = value(scope, way.source);
        let before = entered(scope);
        testing::assert_at_most(scope, 0, |scope| {
            testing::assert_clean(|| {
                for _ in 0..10 {
                    turn!(scope, "loop");
                    v8::scope!(let scope, scope);
                    enters(scope, way, &subject);
                    let undefined: Local<Value> = v8::undefined(scope).into();
                    let arguments = [
                        Local::new(scope, &native.0).into(),
                        v8::Number::new(scope, at as f64).into(),
                        Local::new(scope, &subject),
                    ];
                    let caller = Local::new(scope, &native.1);
                    caller.call(scope, undefined, &arguments).unwrap();
                }
            });
        });
        assert_eq!(entered(scope), before + 20, "{}", way.name);
    }
}

/// A platform that leaves V8's tasks to the host.
struct Queue;

static TASKS: std::sync::Mutex<VecDeque<v8::Task>> = std::sync::Mutex::new(VecDeque::new());

impl v8::PlatformImpl for Queue {
    fn post_task(&self, _: *mut std::ffi::c_void, task: v8::Task) {
        TASKS.lock().unwrap().push_back(task);
    }
    fn post_non_nestable_task(&self, _: *mut std::ffi::c_void, task: v8::Task) {
        TASKS.lock().unwrap().push_back(task);
    }
    fn post_delayed_task(&self, _: *mut std::ffi::c_void, _: v8::Task, _: f64) {}
    fn post_non_nestable_delayed_task(&self, _: *mut std::ffi::c_void, _: v8::Task, _: f64) {}
}

#[inline(never)]
fn on_timer(scope: &mut PinScope, callback: &Global<v8::Function>) {
    let callback = Local::new(scope, callback);
    let undefined = v8::undefined(scope).into();
    callback.call(scope, undefined, &[]).unwrap();
}

#[inline(never)]
fn runs_v8s_tasks() {
    loop {
        let task = TASKS.lock().unwrap().pop_front();
        match task {
            Some(task) => task.run(),
            None => return,
        }
    }
}

/// A host that runs V8's tasks itself, and marks no turn; each pass ends with a collection, after which V8 posts a task.
#[test]
fn a_loop_that_runs_v8s_tasks_itself_has_its_turns_inferred() {
    const NAME: &str = "entries::a_loop_that_runs_v8s_tasks_itself_has_its_turns_inferred";
    if handleguard_tests::is_child() {
        let mended = std::env::var_os("MENDED").is_some();
        v8::V8::set_flags_from_string("--expose-gc");
        v8::V8::initialize_platform(v8::new_custom_platform(0, false, true, Queue).make_shared());
        v8::V8::initialize();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::scope!(let scope, isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        value(
            scope,
            "globalThis.cleaned = 0; globalThis.registry = new FinalizationRegistry(() => { cleaned++ })",
        );
        let callback = {
            v8::scope!(let scope, scope);
            let callback = function(scope, "() => { registry.register({}, 1); return {} }");
            Global::new(scope, callback)
        };
        for _ in 0..5 {
            runs_v8s_tasks();
            if mended {
                v8::scope!(let scope, scope);
                on_timer(scope, &callback);
            } else {
                on_timer(scope, &callback);
            }
            scope.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
        }
        runs_v8s_tasks();
        println!("\ncleaned: {}", count(scope, "cleaned") > 0);
        for site in handleguard::report().sites() {
            println!("site: {}", site.violation().sentence());
        }
        return;
    }
    let run = |mended: Option<(&str, &str)>| {
        let output = handleguard_tests::child_with(NAME, "log,tick=off", mended);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("\ncleaned: true\n"), "{text}");
        text
    };
    let bug = run(None);
    assert!(
        bug.contains("site: outer-growth: turn `hooks::entries::runs_v8s_tasks` at "),
        "{bug}"
    );
    let twin = run(Some(("MENDED", "1")));
    assert!(!twin.contains("site: "), "{twin}");
}

fn count(scope: &mut PinScope, name: &str) -> u32 {
    v8::scope!(let scope, scope);
    eval(scope, name).uint32_value(scope).unwrap()
}

/// An idle task in C++: a pointer to a table of its two destructors and its `Run` (`v8-platform.h`, `class IdleTask`).
#[repr(C)]
struct IdleTask {
    functions: *const [*const (); 3],
    deadline: f64,
}

unsafe extern "C" {
    fn v8__IdleTask__Run(task: *mut IdleTask, deadline: f64);
}

/// The twin passes the return address beside an argument in a floating-point register.
#[test]
fn the_deadline_of_an_idle_task_arrives_behind_its_hook() {
    unsafe extern "C" fn run(task: *mut IdleTask, deadline: f64) {
        // SAFETY: V8 passes the task that it runs.
        unsafe { (*task).deadline = deadline };
    }
    unsafe extern "C" fn is_not_destroyed(_: *mut IdleTask) {
        unreachable!("the task is on the stack");
    }
    let functions = [
        is_not_destroyed as *const (),
        is_not_destroyed as *const (),
        run as *const (),
    ];
    let mut task = IdleTask {
        functions: &raw const functions,
        deadline: 0.0,
    };
    plain_host!(scope);
    for deadline in [0.25, 1e300] {
        // SAFETY: `task` is laid out as one, and outlives the call.
        unsafe { v8__IdleTask__Run(&raw mut task, deadline) };
        assert_eq!(task.deadline, deadline);
    }
    let _ = (scope, task.functions);
}
