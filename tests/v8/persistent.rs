//! Persistent handles that pile up: found at the end of the isolate, and at the ticks of a long run.

use handleguard_tests::{child_with, function, is_child, start_v8};
use handleguard_v8::handleguard::Violation;
use handleguard_v8::handleguard::finding::{Finding, GlobalGrowth, Steps};
use handleguard_v8::{GuardedFunction, scope, testing, turn};
use std::time::Duration;

/// An event of a host: makes a persistent handle, and returns it.
#[inline(never)]
fn on_event(scope: &mut v8::PinScope<'_, '_>) -> v8::Global<v8::Object> {
    scope!(let scope, scope);
    let object = v8::Object::new(scope);
    v8::Global::new(scope, object)
}

/// Without hooks, only growth that outlives full collections counts.
fn collect_at_times(isolate: &mut v8::Isolate, event: u32) {
    if event % 100 == 50 {
        isolate.request_garbage_collection_for_testing(v8::GarbageCollectionType::Full);
    }
}

/// Runs a host of its own isolate for that many events, each a turn if `marked`. `keep` disposes of the handles of each.
fn events(events: u32, marked: bool, mut keep: impl FnMut(v8::Global<v8::Object>)) {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let callback = function(scope, "function onEvent() {}");
    for event in 0..events {
        let turn = marked.then(|| handleguard_v8::turn_guard(scope, "event"));
        {
            scope!(let scope, scope);
            let undefined = v8::undefined(scope).into();
            callback.guarded_call(scope, undefined, &[]);
        }
        keep(on_event(scope));
        drop(turn);
        collect_at_times(scope, event);
    }
}

fn growth(violations: &[Violation]) -> GlobalGrowth {
    match violations {
        [violation] => match violation.finding() {
            Finding::GlobalGrowth(growth) => *growth,
            other => panic!("{other:#?}"),
        },
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_handle_that_each_turn_forgets_is_found_when_the_isolate_ends() {
    let run = testing::run(|| events(300, true, std::mem::forget));
    let growth = growth(&run.violations);
    assert_eq!((growth.grown, growth.steps), (284, 284), "{growth:#?}");
    assert_eq!(growth.counted_in, Steps::Turns);
    assert!((300..310).contains(&growth.alive), "{growth:#?}");
    println!("{}", run.violations[0]);
    if cfg!(feature = "interpose") {
        assert!(growth.counted >= 200, "{growth:#?}");
        let maker = growth.maker.expect("a maker");
        assert_eq!(maker.place.name, Some("v8::persistent::on_event"));
        assert_eq!(maker.reset, 0);
    } else {
        assert_eq!((growth.counted, growth.maker), (0, None));
    }
}

/// The hooks see each handle made; without them, nobody looks where no turn ends.
#[test]
fn a_host_that_marks_no_turn_is_judged_where_hooks_see_the_handles_made() {
    const NAME: &str =
        "persistent::a_host_that_marks_no_turn_is_judged_where_hooks_see_the_handles_made";
    if is_child() {
        events(300, false, std::mem::forget);
        events(300, false, drop);
        return;
    }
    let output = child_with(NAME, "log,tick=off", []);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let found: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("handleguard: global-growth: "))
        .collect();
    if cfg!(not(feature = "interpose")) {
        assert_eq!(found.len(), 0, "{text}");
        return;
    }
    assert_eq!(found.len(), 1, "{text}");
    assert!(
        found[0].contains(" scopes and calls, 30")
            && found[0].contains(" alive; made by `v8::persistent::on_event` at "),
        "{text}"
    );
}

#[test]
fn right_hosts_of_persistent_handles_are_silent() {
    for marked in [true, false] {
        for turns in [100, 300, 3000] {
            testing::assert_clean(|| events(turns, marked, drop));
            // A cache with a limit.
            let mut cache = Vec::new();
            testing::assert_clean(|| {
                events(turns, marked, |kept| {
                    if cache.len() < 80 {
                        cache.push(kept);
                    }
                });
            });
            // Connections that live for some turns.
            let mut open = std::collections::VecDeque::new();
            testing::assert_clean(|| {
                events(turns, marked, |kept| {
                    open.push_back(kept);
                    if open.len() == 50 {
                        open.pop_front();
                    }
                });
            });
            // All of them kept until the host shuts down.
            let mut pile = Vec::new();
            testing::assert_clean(|| {
                events(turns, marked, |kept| {
                    pile.push(kept);
                    if pile.len() == turns as usize {
                        pile.clear();
                    }
                });
            });
        }
    }
}

/// Each turn makes an object with a weak handle, as add-ons wrap their own objects; V8 resets them when it collects.
#[test]
fn weak_handles_of_garbage_are_silent() {
    for collections in [false, true] {
        testing::assert_clean(|| {
            start_v8();
            let isolate = &mut v8::Isolate::new(Default::default());
            scope!(let scope, isolate);
            let mut wrapped = Vec::new();
            for event in 0..400 {
                if collections && event > 0 {
                    collect_at_times(scope, event);
                }
                turn!(scope, "event");
                scope!(let scope, scope);
                let number = v8::Number::new(scope, 0.5);
                wrapped.push(v8::Weak::new(scope, number));
            }
        });
    }
}

#[test]
fn the_closure_of_a_test_is_judged_as_a_life_where_its_isolate_goes_on() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let mut serve = |keep: fn(v8::Global<v8::Object>)| {
        let served = testing::run(|| {
            for event in 0..300 {
                turn!(scope, "event");
                keep(on_event(scope));
                collect_at_times(scope, event);
            }
        });
        served.violations
    };
    assert_eq!(growth(&serve(std::mem::forget)).grown, 284);
    assert_eq!(serve(drop).len(), 0, "the host has stopped to leak");
}

#[test]
fn a_long_run_is_reported_at_a_tick_and_its_default_is_log_where_other_rules_abort() {
    const NAME: &str = "persistent::a_long_run_is_reported_at_a_tick_and_its_default_is_log_where_other_rules_abort";
    if is_child() {
        let forgets = std::env::var_os("FORGETS").is_some();
        start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        v8::scope!(let scope, isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        for event in 0..800 {
            collect_at_times(scope, event);
            turn!(scope, "event");
            for _ in 0..100 {
                let kept = on_event(scope);
                if forgets {
                    std::mem::forget(kept);
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("served");
        std::process::exit(0);
    }
    let run = |directives: &str, forgets: bool| {
        let forgets = forgets.then_some(("FORGETS", "1"));
        let output = child_with(NAME, directives, forgets);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        text.matches("handleguard: global-growth: persistent handles grow steadily: ")
            .count()
    };
    assert_eq!(run("abort,tick=100ms", false), 0);
    assert!(run("abort,tick=100ms", true) > 0);
    assert_eq!(run("log,global-growth=off,tick=100ms", true), 0);
}
