//! How many handles scopes hold: high-water marks of each place, and advice on scopes that never held any.

use handleguard_tests::{child, function, host, is_child};
use handleguard_v8::handleguard::{OpenerStats, report};
use handleguard_v8::{GuardedFunction, escapable_handle_scope, scope, turn};

fn make(scope: &mut v8::PinScope<'_, '_, ()>, handles: u64) {
    for _ in 0..handles {
        let _ = v8::Number::new(scope, 0.5);
    }
}

fn use_of(name: &str) -> Option<OpenerStats> {
    let report = report();
    let mut scopes = report.scopes().iter();
    scopes.find(|row| row.place.name == Some(name)).copied()
}

#[test]
fn the_most_handles_that_a_place_held_are_in_the_report() {
    const NAME: &str = "usage::the_most_handles_that_a_place_held_are_in_the_report";
    fn small(isolate: &mut v8::Isolate) {
        scope!(let scope, isolate);
        make(scope, 10);
    }
    fn large(isolate: &mut v8::Isolate, handles: u64) {
        scope!(let scope, isolate);
        make(scope, handles);
    }
    if is_child() {
        host!(scope, _context);
        {
            turn!(scope, "loop");
            // Across the end of a block of V8's.
            for _ in 0..300 {
                small(scope);
                scope!(let scope, scope);
                handleguard_v8::tc_scope!(let catching, scope);
                make(catching, 5);
            }
            for handles in [200, 5000, 70] {
                large(scope, handles);
            }
        }
        assert_eq!(
            use_of("v8::usage::the_most_handles_that_a_place_held_are_in_the_report::small"),
            None
        );
        let large = "v8::usage::the_most_handles_that_a_place_held_are_in_the_report::large";
        assert_eq!(use_of(large).map(|row| row.most), Some(5000));
        let text = report().to_string();
        assert!(
            text.contains(
                "\n  most handles held at once by one scope of\n       5000  HandleScope `"
            ),
            "{text}"
        );
        return;
    }
    assert!(child(NAME, "count").status.success());
}

#[test]
fn a_scope_that_never_closes_has_its_mark_at_the_end_of_each_turn() {
    const NAME: &str = "usage::a_scope_that_never_closes_has_its_mark_at_the_end_of_each_turn";
    if is_child() {
        host!(scope, _context);
        for _ in 0..100 {
            turn!(scope, "loop");
            make(scope, 30);
        }
        let most = report().scopes()[0].most;
        assert!((3000..3100).contains(&most), "{most}");
        return;
    }
    assert!(child(NAME, "count").status.success());
}

#[test]
fn a_scope_that_never_held_a_handle_is_named_as_redundant_and_no_other() {
    const NAME: &str = "usage::a_scope_that_never_held_a_handle_is_named_as_redundant_and_no_other";
    fn empty(isolate: &mut v8::Isolate) {
        scope!(let scope, isolate);
        scope!(let inner, scope);
        make(inner, 3);
    }
    fn once(isolate: &mut v8::Isolate, handles: u64) {
        scope!(let scope, isolate);
        make(scope, handles);
    }
    fn escapes(isolate: &mut v8::Isolate) {
        scope!(let scope, isolate);
        escapable_handle_scope!(let inner, scope);
        let value = v8::Number::new(inner, 0.5);
        inner.escape(value);
    }
    fn rare(isolate: &mut v8::Isolate) {
        scope!(let _scope, isolate);
    }
    if is_child() {
        {
            host!(scope, _context);
            let throws = function(scope, "function throws() { throw 1 }");
            let undefined = v8::undefined(scope).into();
            rare(scope);
            for round in 0..150 {
                turn!(scope, "loop");
                empty(scope);
                once(scope, u64::from(round == 149));
                escapes(scope);
                // Its call leaves no handle, but the callback needs the scope.
                scope!(let serves, scope);
                v8::tc_scope!(let serves, serves);
                throws.guarded_call(serves, undefined, &[]);
            }
        }
        return;
    }
    let output = child(NAME, "log,redundant-scope=log,tick=off");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let named: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("handleguard: redundant-scope: "))
        .collect();
    assert_eq!(named.len(), 1, "{text}");
    assert!(
        named[0].starts_with("handleguard: redundant-scope: HandleScope `v8::usage::")
            && named[0].contains("::empty` at tests/v8/usage.rs:")
            && named[0].ends_with(" held no handle of its own in 150 of 150 uses"),
        "{text}"
    );
    assert!(
        text.contains("         saves: 150 opens and closes so far\n"),
        "{text}"
    );

    // Advice is off unless a directive names it.
    let output = child(NAME, "log,tick=off");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("handleguard: redundant-scope: "), "{text}");
}
