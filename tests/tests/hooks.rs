//! The hooks that the linker puts into the v8 crate's functions: plain V8 code, with no macro of handleguard, is seen.

use handleguard_tests::{child, function, is_child, start_v8};
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::handleguard::{self, Rule, Violation};
use handleguard_v8::{scope, tc_scope, testing, turn};

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
    assert!(stderr.contains("hooks (all 16 proved)"), "{stderr}");
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

fn open_plain_and_call(scope: &mut v8::PinScope, callee: v8::Local<v8::Function>) {
    let undefined = v8::undefined(scope).into();
    callee.call(scope, undefined, &[]);
}

#[test]
fn a_plain_call_without_a_scope_is_named_with_both_places() {
    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let callee = function(scope, "function onClose() {}");
    let violations = testing::run(|| {
        turn!(scope, "loop");
        open_plain_and_call(scope, callee);
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::MissingScope], "{violations:#?}");
    println!("{}", violations[0]);
    let finding = violations[0].finding();
    let callback = finding.callback().unwrap();
    assert_eq!(callback.name, Some("hooks::open_plain_and_call"));
    let opener = finding.opener().unwrap();
    assert_eq!(opener.kind, ScopeKind::HandleScope);
    assert_eq!(
        opener.place.name,
        Some("hooks::a_plain_call_without_a_scope_is_named_with_both_places")
    );
    assert_eq!(violations[0].callee(), Some("onClose (handlers.js:1:18)"));
}
