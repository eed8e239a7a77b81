//! Each isolate has its own state, even on one thread.

use handleguard_tests::{child, function, is_child, start_v8};
use handleguard_v8::handleguard::finding::ScopeKind;
use handleguard_v8::handleguard::{Rule, depth};
use handleguard_v8::{
    GuardedFunction, GuardedIsolate, scope, scope_guard, testing, turn, turn_guard,
};

/// Enters an isolate, and leaves it in the right order.
struct Entered(*mut v8::Isolate);

impl Entered {
    fn new(isolate: &mut v8::Isolate) -> Self {
        // SAFETY: of this thread; left in `drop`.
        unsafe { isolate.enter() };
        Self(isolate)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // SAFETY: entered in `new`, and the tests keep the isolate alive longer.
        unsafe { (*self.0).exit() };
    }
}

#[test]
fn two_isolates_on_one_thread_keep_two_stacks() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    scope!(let first_scope, &mut first);
    testing::assert_clean(|| {
        let mut second = v8::Isolate::new(Default::default());
        scope!(let second_scope, &mut second);
        assert_eq!(depth(), 1, "the second's own scope");
        {
            let _entered = Entered::new(first_scope);
            turn!(first_scope, "first");
            assert_eq!(depth(), 0, "the first's, since its turn");
            scope!(let inner, first_scope);
            assert_eq!(depth(), 1);
            let _ = inner;
        }
        scope!(let inner, second_scope);
        assert_eq!(depth(), 2);
        let _ = inner;
    });
    scope!(let inner, first_scope);
    assert_eq!(depth(), 2);
    let _ = inner;
}

#[test]
fn a_scope_of_one_isolate_does_not_enclose_a_callback_of_another() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    scope!(let busy, &mut first);
    // The first isolate is deep in scopes; they are no use to the second.
    scope!(let deep, busy);
    {
        let mut second = v8::Isolate::new(Default::default());
        scope!(let main, &mut second);
        let context = v8::Context::new(main, Default::default());
        let main = &mut v8::ContextScope::new(main, context);
        let callback = function(main, "() => 1");
        let undefined = v8::undefined(main).into();
        let violations = testing::run(|| {
            turn!(main, "second");
            callback.guarded_call(main, undefined, &[]);
        })
        .violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].rule(), Rule::MissingScope);
    }
    let _ = deep;
}

#[test]
fn a_scope_of_an_isolate_that_is_not_current_is_found() {
    start_v8();
    let mut first = v8::Isolate::new(Default::default());
    scope!(let outer, &mut first);
    let mut second = v8::Isolate::new(Default::default());
    // Two pages, and a scope of the first while the second is current (obscura #776).
    let violations = testing::run(|| {
        scope!(let inner, outer);
        let _ = inner;
    })
    .violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].rule(), Rule::WrongIsolate);
    let place = violations[0].finding().place().unwrap();
    assert!(place.location.file().ends_with("isolates.rs"));
    testing::assert_clean(|| {
        let _entered = Entered::new(outer);
        scope!(let inner, outer);
        let _ = inner;
    });
    scope!(let of_second, &mut second);
    let _ = of_second;
}

#[test]
fn a_thread_that_has_not_entered_the_isolate_is_found_and_the_other_named() {
    start_v8();
    let mut isolate = v8::Isolate::new(Default::default());
    {
        scope!(let scope, &mut isolate);
        let _ = scope;
    }
    let address = &raw mut isolate as usize;
    // SAFETY: entered by `Isolate::new`; entered again below.
    unsafe { isolate.exit() };
    let violations = std::thread::Builder::new()
        .name("second".to_owned())
        .spawn(move || {
            // SAFETY: the first thread has left the isolate, and waits.
            let isolate: &mut v8::OwnedIsolate =
                unsafe { &mut *std::ptr::with_exposed_provenance_mut(address) };
            let wrong = testing::run(|| {
                turn!(isolate, "not entered");
            })
            .violations;
            let _entered = Entered::new(isolate);
            testing::assert_clean(|| {
                turn!(isolate, "entered");
                scope!(let scope, isolate);
                let _ = scope;
            });
            wrong
        })
        .unwrap()
        .join()
        .unwrap();
    // SAFETY: the second thread has left it.
    unsafe { isolate.enter() };
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].rule(), Rule::WrongThread);
    let message = violations[0].to_string();
    assert!(
        message
            .starts_with("handleguard: wrong-thread: turn `not entered` at tests/v8/isolates.rs:")
            && message.contains(" begins in an isolate that this thread has not entered\n")
            && message
                .contains("\n   used before: by thread isolates::a_thread_that_has_not_entered")
            && message.contains("\n        thread: second\n"),
        "{message}"
    );
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

/// An isolate on its way to another thread.
struct Moved(v8::OwnedIsolate);

// SAFETY: the thread that sends it has left the isolate.
unsafe impl Send for Moved {}

/// In a process of its own, where nothing else takes the memory in between.
#[test]
fn an_isolate_that_another_thread_disposes_of_leaves_nothing_behind() {
    const NAME: &str = "isolates::an_isolate_that_another_thread_disposes_of_leaves_nothing_behind";
    if !is_child() {
        let output = child(NAME, "log");
        assert!(output.status.success());
        return;
    }
    start_v8();
    testing::assert_clean(|| {
        // The allocator settles on a place after some rounds.
        let is_reused = (0..64).any(|_| disposes_of_one_on_another_thread());
        assert!(is_reused, "the allocator reuses the memory");
    });
}

/// Whether the next isolate of this thread lay where the one was that another thread has disposed of.
fn disposes_of_one_on_another_thread() -> bool {
    let mut isolate = v8::Isolate::new(Default::default());
    let gone = address(&isolate);
    // Open in the record of this thread when the isolate goes: on the slow path, and on the fast one.
    let turn = turn_guard(&mut isolate, "first thread");
    let outer = scope_guard(&mut isolate, ScopeKind::CallbackScope, "outer");
    let inner = scope_guard(&mut isolate, ScopeKind::CallbackScope, "inner");
    // SAFETY: this thread entered it; the second one enters it before it uses it.
    unsafe { isolate.exit() };
    let isolate = Moved(isolate);
    let second = move || {
        let Moved(mut isolate) = { isolate };
        // SAFETY: the first thread has left it; `drop` leaves it.
        unsafe { isolate.enter() };
        scope!(let scope, &mut isolate);
        assert_eq!(depth(), 1, "of this thread");
        let _ = scope;
    };
    std::thread::spawn(second).join().expect("no violation");

    let mut next = v8::Isolate::new(Default::default());
    let is_reused = address(&next) == gone;
    scope!(let scope, &mut next);
    assert_eq!(depth(), 1, "nothing of the isolate that lay here");
    turn!(scope, "third");
    assert_eq!(depth(), 0);
    // The guards of the isolate that is gone touch neither record nor isolate.
    drop((inner, outer, turn));
    scope!(let inner, scope);
    assert_eq!(depth(), 1);
    let _ = inner;
    is_reused
}

/// Where an isolate lies.
fn address(isolate: &v8::Isolate) -> usize {
    // SAFETY: a transparent wrapper of the address (the v8 crate's `isolate.rs`).
    unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) }
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

#[test]
fn an_isolate_left_while_another_is_current_is_found() {
    start_v8();
    let first = v8::Isolate::new(Default::default());
    let second = v8::Isolate::new(Default::default());
    let violations = testing::run(|| {
        // SAFETY: that the order is wrong is the test. V8 makes current what was so before `first` was entered
        // (`isolate.cc`, `Isolate::Exit`): `second`, which goes on in no way that depends on it.
        unsafe {
            first.guarded_enter();
            second.guarded_enter();
            first.guarded_exit();
        }
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::WrongIsolate]);
    assert!(
        violations[0]
            .to_string()
            .contains(" leaves an isolate that is not the current one of this thread\n"),
        "{}",
        violations[0]
    );
    testing::assert_clean(|| {
        // SAFETY: in order.
        unsafe {
            first.guarded_enter();
            second.guarded_enter();
            second.guarded_exit();
            first.guarded_exit();
        }
    });
    // V8's own record of what is entered is in disorder now, and the v8 crate would refuse to drop them.
    std::mem::forget((first, second));
}

#[test]
fn a_scope_open_where_its_isolate_is_left_is_found() {
    start_v8();
    let mut isolate = v8::Isolate::new(Default::default());
    let address = &raw mut isolate;
    let violations = testing::run(|| {
        // SAFETY: entered here, left below.
        unsafe { isolate.guarded_enter() };
        scope!(let scope, &mut isolate);
        // An early return that leaves the isolate while the scope is still on the stack (tangram #752).
        // SAFETY: entered above; `isolate` is borrowed by the scope, which does not touch it meanwhile.
        unsafe { (**address).guarded_exit() };
        let _ = scope;
    })
    .violations;
    assert_eq!(rules(&violations), [Rule::NeverClosed]);
    let text = violations[0].to_string();
    assert!(
        text.contains("leaves the isolate with the HandleScope `"),
        "{text}"
    );
    testing::assert_clean(|| {
        // SAFETY: entered here, left below.
        unsafe { isolate.guarded_enter() };
        {
            scope!(let scope, &mut isolate);
            let _ = scope;
        }
        // SAFETY: entered above.
        unsafe { isolate.guarded_exit() };
    });
}

fn rules(violations: &[handleguard_v8::handleguard::Violation]) -> Vec<Rule> {
    violations
        .iter()
        .map(|violation| violation.rule())
        .collect()
}
