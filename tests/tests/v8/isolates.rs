//! State belongs to the isolate, not only to the thread.

use handleguard_tests::{function, start_v8};
use handleguard_v8::handleguard::{Rule, depth};
use handleguard_v8::{GuardedFunction, scope, testing, turn};

#[test]
fn two_isolates_on_one_thread_keep_two_stacks() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    scope!(let first_scope, &mut first);
    {
        let mut second = v8::Isolate::new(Default::default());
        turn!(first_scope, "first");
        scope!(let second_scope, &mut second);
        assert_eq!(depth(), 1, "the second's own scope");
        scope!(let inner, first_scope);
        assert_eq!(depth(), 1, "the first's, since its turn");
        let _ = (second_scope, inner);
    }
    scope!(let inner, first_scope);
    assert_eq!(depth(), 2);
    let _ = inner;
}

#[test]
fn a_scope_of_one_isolate_does_not_enclose_a_callback_of_another() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    scope!(let busy, &mut first);
    {
        let mut second = v8::Isolate::new(Default::default());
        scope!(let main, &mut second);
        let context = v8::Context::new(main, Default::default());
        let main = &mut v8::ContextScope::new(main, context);
        let callback = function(main, "() => 1");
        let undefined = v8::undefined(main).into();
        let violations = testing::run(|| {
            turn!(main, "second");
            // The first isolate is deep in scopes; they are no use to the second.
            scope!(let deep, busy);
            callback.guarded_call(main, undefined, &[]);
            let _ = deep;
        })
        .violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].rule(), Rule::MissingScope);
    }
}

#[test]
fn an_isolate_at_the_address_of_a_dead_one_starts_afresh() {
    start_v8();
    for _ in 0..5 {
        let isolate = &mut v8::Isolate::new(Default::default());
        assert_eq!(depth(), 0);
        scope!(let scope, isolate);
        turn!(scope, "loop");
        assert_eq!(depth(), 0);
        scope!(let inner, scope);
        assert_eq!(depth(), 1);
        let _ = inner;
    }
}

#[test]
fn isolates_on_several_threads_do_not_see_each_other() {
    start_v8();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let isolate = &mut v8::Isolate::new(Default::default());
                scope!(let scope, isolate);
                let context = v8::Context::new(scope, Default::default());
                let scope = &mut v8::ContextScope::new(scope, context);
                let callback = function(scope, "() => 1");
                let undefined = v8::undefined(scope).into();
                let violations = testing::run(|| {
                    for turn in 0..200 {
                        turn!(scope, "loop");
                        if turn % 2 == 0 {
                            callback.guarded_call(scope, undefined, &[]);
                        } else {
                            scope!(let scope, scope);
                            callback.guarded_call(scope, undefined, &[]);
                        }
                    }
                })
                .violations;
                assert_eq!(violations.len(), 100);
            });
        }
    });
}
