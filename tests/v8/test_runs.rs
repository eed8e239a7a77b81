//! No test is green over a leak: ways to write such a test, each beside the same test without the leak.

use handleguard_tests::{child, function, host, is_child, normal, start_v8};
use handleguard_v8::{
    GuardedFunction, GuardedIsolate, escapable_handle_scope, scope, testing, turn, turn_each_poll,
};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

type Scope<'s, 'i> = v8::PinScope<'s, 'i, ()>;

/// A way to write a test that leaks if it is told to. The panic has a line that begins with `reason`.
struct Way {
    name: &'static str,
    reason: &'static str,
    test: fn(leaks: bool),
}

fn make(scope: &mut Scope) {
    let _ = v8::Number::new(scope, 0.5);
}

/// Makes a handle, in a scope of its own unless it `leaks`.
fn work(scope: &mut Scope, leaks: bool) {
    if leaks {
        make(scope);
    } else {
        scope!(let scope, scope);
        make(scope);
    }
}

/// Opens a scope of the v8 crate that nobody closes.
fn opens_for_good(isolate: &mut v8::Isolate) {
    // SAFETY: the tests keep the isolate for as long as anything can touch the scope: nothing does.
    let isolate: &'static mut v8::Isolate = unsafe { &mut *(isolate as *mut _) };
    let mut storage = Box::pin(v8::HandleScope::new(isolate));
    let _ = storage.as_mut().init();
    std::mem::forget(storage);
}

/// Owns its isolate and the scope in which it waits, lends neither, and has no handleguard in it.
struct Runtime {
    isolate: &'static mut v8::OwnedIsolate,
    leaks: bool,
}

impl Runtime {
    fn new(leaks: bool) -> Self {
        start_v8();
        let isolate = Box::leak(Box::new(v8::Isolate::new(Default::default())));
        opens_for_good(isolate);
        Self { isolate, leaks }
    }

    fn serve(&mut self) {
        if self.leaks {
            // Opens no scope, so the handle goes to the one in which the runtime waits.
            v8::callback_scope!(unsafe scope, &mut **self.isolate);
            let _ = v8::Number::new(scope, 0.5);
        } else {
            v8::scope!(let scope, &mut **self.isolate);
            let _ = v8::Number::new(scope, 0.5);
        }
    }
}

/// Is ready at its second poll.
fn yields_once() -> impl Future<Output = ()> {
    let mut polls = 0;
    std::future::poll_fn(move |_| {
        polls += 1;
        if polls == 2 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

fn block_on(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    while future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
    {}
}

/// What a test that judges nothing says.
const NOT_USED: &str = "handleguard::testing: nothing was judged: no guard and no hook saw the closure use an isolate on this thread";

const WAYS: &[Way] = &[
    Way {
        name: "no turn is marked",
        reason: "handleguard: missing-scope: callback `v8::test_runs::WAYS::{{closure}}::{{closure}}` at tests/v8/test_runs.rs:LL:CC started with no HandleScope opened",
        test: |leaks| {
            host!(scope, _context);
            let callee = function(scope, "() => 1");
            let undefined = v8::undefined(scope).into();
            testing::assert_clean(|| {
                for _ in 0..2001 {
                    if leaks {
                        callee.guarded_call(scope, undefined, &[]);
                    } else {
                        scope!(let scope, scope);
                        callee.guarded_call(scope, undefined, &[]);
                    }
                }
            });
        },
    },
    Way {
        name: "the handle is made one line before the scope",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                if leaks {
                    make(scope);
                }
                scope!(let scope, scope);
                make(scope);
            });
        },
    },
    Way {
        name: "no guard has seen the isolate before the handle",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in ",
        test: |leaks| {
            start_v8();
            let isolate = &mut v8::Isolate::new(Default::default());
            v8::scope!(let scope, isolate);
            testing::assert_clean(|| {
                if leaks {
                    make(scope);
                }
                scope!(let scope, scope);
                make(scope);
            });
        },
    },
    Way {
        name: "the leak lies between two turns",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                {
                    turn!(scope, "first");
                    work(scope, false);
                }
                work(scope, leaks);
                turn!(scope, "second");
                work(scope, false);
            });
        },
    },
    Way {
        name: "a value is escaped into the scope outside",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            let escapes = |scope: &mut Scope| {
                escapable_handle_scope!(let scope, scope);
                let value = v8::Number::new(scope, 0.5);
                scope.escape(value);
            };
            testing::assert_clean(|| {
                if leaks {
                    escapes(scope);
                } else {
                    scope!(let scope, scope);
                    escapes(scope);
                }
            });
        },
    },
    Way {
        name: "the scope stays open",
        reason: "handleguard: never-closed: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC ended with ",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                if leaks {
                    opens_for_good(scope);
                }
                work(scope, false);
            });
        },
    },
    Way {
        name: "another isolate is clean",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                {
                    let other = &mut v8::Isolate::new(Default::default());
                    scope!(let other, other);
                    work(other, true);
                }
                work(scope, leaks);
            });
        },
    },
    Way {
        name: "another isolate is current at the start",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            start_v8();
            let isolate = Box::leak(Box::new(v8::Isolate::new(Default::default())));
            // SAFETY: this thread has entered it already, and never leaves it.
            unsafe { isolate.guarded_enter() };
            scope!(let scope, isolate);
            let other = v8::Isolate::new(Default::default());
            testing::assert_clean(|| {
                drop(other);
                work(scope, leaks);
            });
        },
    },
    Way {
        name: "the closure makes the isolate and keeps it",
        reason: "handleguard: never-closed: turn `v8::test_runs::WAYS::{{closure}}::{{closure}}` at tests/v8/test_runs.rs:LL:CC ended with ",
        test: |leaks| {
            start_v8();
            testing::assert_clean(|| {
                let isolate = Box::leak(Box::new(v8::Isolate::new(Default::default())));
                // The first guard of the isolate.
                turn!(isolate);
                if leaks {
                    opens_for_good(isolate);
                }
                scope!(let scope, isolate);
                make(scope);
            });
        },
    },
    Way {
        name: "a clean test runs inside",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                testing::assert_clean(|| work(scope, false));
                work(scope, leaks);
            });
        },
    },
    Way {
        name: "a future leaks from one await to the next",
        reason: "handleguard: outer-growth: turn `request` at tests/v8/test_runs.rs:LL:CC left 1 handle in the HandleScope `",
        test: |leaks| {
            host!(scope, _context);
            testing::assert_clean(|| {
                let request = async {
                    yields_once().await;
                    work(scope, leaks);
                };
                block_on(turn_each_poll(request, "request"));
            });
        },
    },
    Way {
        name: "a runtime owns the isolate",
        reason: "expected at most 0 more handles, found 10 more",
        test: |leaks| {
            let mut runtime = Runtime::new(leaks);
            testing::assert_leaves_at_most(0, || {
                for _ in 0..10 {
                    runtime.serve();
                }
            });
        },
    },
    Way {
        name: "a runtime that marks no turn and has no guard",
        reason: "handleguard: outer-growth: turn `testing::assert_clean` at tests/v8/test_runs.rs:LL:CC left 10 handles in ",
        test: |leaks| {
            let mut runtime = Runtime::new(leaks);
            testing::assert_clean(|| {
                for _ in 0..10 {
                    runtime.serve();
                }
                // What makes the clean test one that has judged something, where no hook is linked.
                turn!();
            });
        },
    },
    Way {
        name: "the future is not polled",
        reason: NOT_USED,
        test: |leaks| {
            host!(scope, _context);
            let request = async { work(scope, leaks) };
            if leaks {
                drop(testing::assert_clean(|| request));
            } else {
                testing::assert_clean(|| block_on(request));
            }
        },
    },
    Way {
        name: "the leak is on another thread",
        reason: NOT_USED,
        test: |leaks| {
            let works = move || {
                host!(scope, _context);
                work(scope, leaks);
            };
            testing::assert_clean(|| {
                if leaks {
                    thread::spawn(works).join().expect("a thread");
                } else {
                    works();
                }
            });
        },
    },
    Way {
        name: "the closure ends the turn around it",
        reason: "handleguard::testing: nothing was judged: the closure ended a turn that began before it",
        test: |leaks| {
            host!(scope, _context);
            let mut turn = Some(handleguard_v8::turn_guard(scope, "outer"));
            testing::assert_clean(|| {
                work(scope, false);
                if leaks {
                    drop(turn.take());
                    make(scope);
                }
            });
        },
    },
    Way {
        name: "strict mode",
        reason: "1 violation",
        test: |leaks| {
            host!(scope, _context);
            let violations = testing::run_strictly(|| work(scope, leaks)).violations;
            assert!(violations.is_empty(), "{} violation", violations.len());
        },
    },
];

/// Runs `test` on a thread of its own. Returns the message of its panic, without lines.
fn panic_of(test: impl FnOnce() + Send + 'static) -> Option<String> {
    let text = |payload: Box<dyn Any + Send>| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    };
    let panicked = thread::spawn(test).join().err();
    panicked.map(|payload| normal::lines(&text(payload)))
}

#[test]
fn each_way_to_write_a_test_is_red_over_a_leak_and_green_without_one() {
    assert!(WAYS.len() >= 12);
    for &Way { name, reason, test } in WAYS {
        match panic_of(move || test(true)) {
            Some(text) => assert!(
                text.lines().any(|line| line.starts_with(reason)),
                "{name}: {text}"
            ),
            None => panic!("{name}: green over a leak"),
        }
        let text = panic_of(move || test(false));
        assert_eq!(text, None, "{name}: red without a leak");
    }
}

#[test]
fn a_test_with_every_rule_off_is_red() {
    const NAME: &str = "test_runs::a_test_with_every_rule_off_is_red";
    if is_child() {
        host!(scope, _context);
        testing::assert_clean(|| work(scope, true));
        return;
    }
    let output = child(NAME, "off");
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let reason = "handleguard::testing: every rule is off (HANDLEGUARD=off?), so no violation would be recorded\n";
    assert!(stderr.contains(reason), "{stderr}");
}

/// Hooks see such code.
#[cfg(not(feature = "interpose"))]
#[test]
fn a_clean_test_of_code_that_handleguard_does_not_see_has_judged_nothing() {
    let text = panic_of(|| {
        let mut runtime = Runtime::new(false);
        testing::assert_clean(|| runtime.serve());
    });
    assert_eq!(text.as_deref(), Some(NOT_USED));
}

#[test]
fn what_a_turn_in_a_test_leaves_is_reported_once() {
    host!(scope, _context);
    let violations = testing::run(|| {
        turn!(scope, "inner");
        work(scope, true);
    })
    .violations;
    let handles: Vec<_> = violations.iter().map(|one| one.handles()).collect();
    assert_eq!(handles, [1]);
    let turn = violations[0].finding().turn().expect("a turn");
    assert_eq!(turn.place.name, Some("inner"));
}

#[test]
fn a_turn_of_the_current_isolate_needs_no_scope_at_hand() {
    fn marks_one(leaks: &mut dyn FnMut()) {
        turn!("request");
        leaks();
    }
    fn marks_one_without_a_name(leaks: &mut dyn FnMut()) {
        turn!();
        leaks();
    }
    host!(scope, _context);
    for (marks, name) in [
        (marks_one as fn(&mut dyn FnMut()), "request"),
        (
            marks_one_without_a_name,
            "v8::test_runs::a_turn_of_the_current_isolate_needs_no_scope_at_hand::marks_one_without_a_name",
        ),
    ] {
        let violations = testing::run(|| marks(&mut || work(scope, true))).violations;
        let turns: Vec<_> = violations
            .iter()
            .map(|one| one.finding().turn().expect("a turn").place.name)
            .collect();
        assert_eq!(turns, [Some(name)]);
        testing::assert_clean(|| marks(&mut || work(scope, false)));
    }
}

#[test]
fn a_turn_where_no_isolate_is_current_is_not_marked_and_one_notice_says_so() {
    const NAME: &str =
        "test_runs::a_turn_where_no_isolate_is_current_is_not_marked_and_one_notice_says_so";
    if is_child() {
        for _ in 0..2 {
            turn!("request");
        }
        return;
    }
    let output = child(NAME, "abort");
    assert!(output.status.success());
    let stderr = normal::lines(&String::from_utf8_lossy(&output.stderr));
    let notice = "handleguard: turn `request` at tests/v8/test_runs.rs:LL:CC is not marked: this thread has entered no isolate that a guard or hook has seen\n";
    assert_eq!(stderr.matches(notice).count(), 1, "{stderr}");
}

#[test]
fn each_poll_of_a_future_is_a_turn() {
    host!(scope, _context);
    let violations = testing::run(|| {
        let request = async {
            work(scope, true);
            yields_once().await;
            work(scope, true);
        };
        block_on(turn_each_poll(request, "request"));
    })
    .violations;
    let turns: Vec<_> = violations
        .iter()
        .map(|one| one.finding().turn().expect("a turn").number)
        .collect();
    assert_eq!(turns, [1, 2]);
}

#[test]
fn a_panic_of_the_closure_wins_and_the_next_test_is_judged_afresh() {
    host!(scope, _context);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        testing::assert_clean(|| {
            turn!(scope, "inner");
            work(scope, true);
            panic!("the test's own");
        })
    }));
    let payload = panicked.expect_err("a panic");
    assert_eq!(payload.downcast_ref(), Some(&"the test's own"));
    testing::assert_clean(|| work(scope, false));
}

#[test]
fn each_panic_shows_the_line_of_the_test() {
    const NAME: &str = "test_runs::each_panic_shows_the_line_of_the_test";
    if is_child() {
        host!(scope, _context);
        type Call = fn(&mut Scope);
        let mut calls: Vec<(u32, Call)> = Vec::new();
        macro_rules! call {
            ($call: expr) => {
                calls.push((line!(), $call));
            };
        }
        call!(|scope| testing::assert_clean(|| work(scope, true)));
        call!(|_| testing::assert_clean(|| ()));
        call!(|_| drop(testing::run(|| ())));
        call!(|_| drop(testing::run_strictly(|| ())));
        call!(|scope| testing::assert_at_most(scope, 0, |scope| work(scope, true)));
        call!(|scope| testing::assert_leaves_at_most(0, || work(scope, true)));
        for (line, call) in calls {
            eprintln!("call at {line}");
            catch_unwind(AssertUnwindSafe(|| call(scope))).expect_err("a panic");
        }
        return;
    }
    let output = child(NAME, "panic");
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let calls: Vec<_> = stderr.split("call at ").skip(1).collect();
    assert_eq!(calls.len(), 6);
    for call in calls {
        let line = call.lines().next().expect("a line");
        let place = format!(" panicked at tests/v8/test_runs.rs:{line}:");
        assert!(call.contains(&place), "{call}");
    }
}
