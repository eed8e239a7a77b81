//! The whole text of each message.
#![cfg(feature = "testing")]

mod common;

use common::{Fake, normalised};
use handleguard::finding::{Finding, ScopeKind};
use handleguard::testing::{assert_at_most, assert_clean, assert_leaves_at_most, run};
use handleguard::{Place, Violation};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The only violation of `f`, as text.
#[track_caller]
fn message(f: impl FnOnce()) -> String {
    let violations = run(f).violations;
    let [violation] = &violations[..] else {
        panic!("not one violation: {violations:#?}");
    };
    let text = violation.to_string();
    assert!(
        text.starts_with(&format!("handleguard: {}\n", violation.sentence())),
        "{text}"
    );
    assert!(!text.contains("handleguard::"), "own frames in {text}");
    normalised(&text, file!())
}

#[inline(never)]
fn on_close(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    std::hint::black_box(());
}

const MISSING_SCOPE: &str = "\
handleguard: missing-scope: callback `on_close` at messages.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope `main` at messages.rs:LL:CC
      callback: `on_close` at messages.rs:LL:CC
  swallowed by: HandleScope #2 `main` at messages.rs:LL:CC, opened 1 turn ago
          turn: #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x1
          rule: missing-scope=panic
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: messages::on_close
";

#[test]
fn missing_scope() {
    let fake = Fake::new(1);
    let text = message(|| {
        let _main = handleguard::scope(fake, "main");
        let _turn = handleguard::turn(fake, "uv_run");
        on_close(fake);
    });
    assert_eq!(text, MISSING_SCOPE);
}

const MISSING_SCOPE_UNNAMED: &str = "\
handleguard: missing-scope: callback `messages::calls_a_known_function` at messages.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope messages.rs:LL:CC
      callback: `messages::calls_a_known_function` at messages.rs:LL:CC
         calls: onclose (server.js:12)
  swallowed by: HandleScope #3 messages.rs:LL:CC, opened 2 turns ago
          turn: #2 messages.rs:LL:CC
        thread: <thread>
       isolate: 0x2
          rule: missing-scope=panic
          help: open a scope in `messages::calls_a_known_function` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: messages::calls_a_known_function
";

#[inline(never)]
fn calls_a_known_function(fake: Fake) {
    let callee = || Some("onclose (server.js:12)".to_owned());
    let _callback = handleguard::callback_at(fake, Place::here(None), callee);
    std::hint::black_box(());
}

#[test]
fn missing_scope_without_names_and_with_the_function_that_is_called() {
    let fake = Fake::new(2);
    let text = message(|| {
        let _main = handleguard::scope(fake, "main");
        let _server = handleguard::scope(fake, None);
        drop(handleguard::turn(fake, None));
        let _turn = handleguard::turn(fake, None);
        calls_a_known_function(fake);
    });
    assert_eq!(text, MISSING_SCOPE_UNNAMED);
}

const MISSING_SCOPE_UNSEEN: &str = "\
handleguard: missing-scope: callback `on_close` at messages.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in a HandleScope that handleguard did not record
      callback: `on_close` at messages.rs:LL:CC
  swallowed by: a HandleScope that no guard or hook recorded
          turn: #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x3
          rule: missing-scope=panic
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: messages::on_close
";

#[test]
fn missing_scope_with_an_opener_that_no_guard_saw() {
    let fake = Fake::new(3);
    fake.level.set(Some(1));
    let text = message(|| {
        let _turn = handleguard::turn(fake, "uv_run");
        on_close(fake);
    });
    assert_eq!(text, MISSING_SCOPE_UNSEEN);
}

const MISSING_SCOPE_NOTHING: &str = "\
handleguard: missing-scope: callback `on_close` at messages.rs:LL:CC started with no HandleScope open
      callback: `on_close` at messages.rs:LL:CC
  swallowed by: no HandleScope that handleguard sees
          turn: #1 `testing::run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x4
          rule: missing-scope=panic
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: messages::on_close
";

#[test]
fn missing_scope_with_nothing_open_in_the_turn_of_a_test() {
    let fake = Fake::new(4);
    fake.level.set(Some(0));
    assert_eq!(message(|| on_close(fake)), MISSING_SCOPE_NOTHING);
}

const OUTER_GROWTH: &str = "\
handleguard: outer-growth: turn `uv_run` at messages.rs:LL:CC left 2 handles in the HandleScope `main` at messages.rs:LL:CC
  swallowed by: HandleScope #2 `main` at messages.rs:LL:CC, opened 1 turn ago; 12 handles alive now
          turn: #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x5
          rule: outer-growth=panic
          help: open a scope before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the end of the turn):
        0: messages::uv_run
";

#[inline(never)]
fn uv_run(fake: Fake, handles: u64) {
    let _turn = handleguard::turn(fake, "uv_run");
    fake.handles
        .set(fake.handles.get().map(|before| before + handles));
}

#[test]
fn outer_growth() {
    let fake = Fake::new(5);
    fake.handles.set(Some(10));
    let text = message(|| {
        let _main = handleguard::scope(fake, "main");
        uv_run(fake, 2);
        fake.handles.set(Some(10));
    });
    assert_eq!(text, OUTER_GROWTH);
}

#[test]
fn one_handle_is_written_in_the_singular() {
    let fake = Fake::new(6);
    fake.handles.set(Some(10));
    let text = message(|| {
        let _main = handleguard::scope(fake, "main");
        uv_run(fake, 1);
        fake.handles.set(Some(10));
    });
    let sentence = text.lines().next().unwrap();
    assert_eq!(
        sentence,
        "handleguard: outer-growth: turn `uv_run` at messages.rs:LL:CC left 1 handle in the HandleScope `main` at \
         messages.rs:LL:CC"
    );
}

const OUT_OF_ORDER: &str = "\
handleguard: out-of-order: HandleScope `outer` at messages.rs:LL:CC closed while EscapableHandleScope `inner` at messages.rs:LL:CC, which began inside it, is still open
       closing: HandleScope #2 `outer` at messages.rs:LL:CC
    still open: EscapableHandleScope #3 `inner` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x7
          rule: out-of-order=panic
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: messages::close
";

#[inline(never)]
fn close(guard: handleguard::ScopeGuard<Fake>) {
    // Not by `drop`, which would be a frame of its own in a debug build.
    {
        let _closes_here = guard;
    }
    // The close is no tail call, which would leave this function out of the stack.
    std::hint::black_box(());
}

#[test]
fn out_of_order() {
    let fake = Fake::new(7);
    let text = message(|| {
        let outer = handleguard::scope(fake, "outer");
        let place = Place::here("inner");
        let inner = handleguard::scope_at(fake, ScopeKind::EscapableHandleScope, place);
        close(outer);
        close(inner);
    });
    assert_eq!(text, OUT_OF_ORDER);
}

const OUT_OF_ORDER_WITH_MORE_BETWEEN: &str = "\
handleguard: out-of-order: HandleScope `outer` at messages.rs:LL:CC closed while TryCatch messages.rs:LL:CC, which began inside it, is still open
       closing: HandleScope #2 `outer` at messages.rs:LL:CC, opened 1 turn ago
    still open: TryCatch #5 messages.rs:LL:CC
          note: 2 more scopes or turns are open between them
        thread: <thread>
       isolate: 0x8
          rule: out-of-order=panic
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: messages::close
";

#[test]
fn out_of_order_with_more_between() {
    let fake = Fake::new(8);
    let text = message(|| {
        let outer = handleguard::scope(fake, "outer");
        let _turn = handleguard::turn(fake, "uv_run");
        let _middle = handleguard::scope(fake, "middle");
        let _inner = handleguard::scope_at(fake, ScopeKind::TryCatch, Place::here(None));
        close(outer);
    });
    assert_eq!(text, OUT_OF_ORDER_WITH_MORE_BETWEEN);
}

const OUT_OF_ORDER_WITH_A_TURN: &str = "\
handleguard: out-of-order: HandleScope `main` at messages.rs:LL:CC closed while turn `uv_run` at messages.rs:LL:CC, which began inside it, is still open
       closing: HandleScope #2 `main` at messages.rs:LL:CC, opened 1 turn ago
    still open: turn #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x9
          rule: out-of-order=panic
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: messages::close
";

#[test]
fn out_of_order_with_a_turn() {
    let fake = Fake::new(9);
    let text = message(|| {
        let main = handleguard::scope(fake, "main");
        let _turn = handleguard::turn(fake, "uv_run");
        close(main);
    });
    assert_eq!(text, OUT_OF_ORDER_WITH_A_TURN);
}

const NEVER_CLOSED_TURN: &str = "\
handleguard: never-closed: turn `uv_run` at messages.rs:LL:CC ended with the HandleScope `leaked` at messages.rs:LL:CC still open
    still open: HandleScope #3 `leaked` at messages.rs:LL:CC
          turn: #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0xa
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the turn):
        0: messages::uv_run_that_leaks
";

#[inline(never)]
fn uv_run_that_leaks(fake: Fake, guarded: bool) {
    let _turn = handleguard::turn(fake, "uv_run");
    if guarded {
        std::mem::forget(handleguard::scope(fake, "leaked"));
    } else {
        fake.level.set(fake.level.get().map(|level| level + 1));
    }
}

#[test]
fn never_closed_by_the_end_of_a_turn() {
    let fake = Fake::new(10);
    assert_eq!(message(|| uv_run_that_leaks(fake, true)), NEVER_CLOSED_TURN);
}

const NEVER_CLOSED_UNSEEN: &str = "\
handleguard: never-closed: turn `uv_run` at messages.rs:LL:CC ended with a HandleScope that handleguard did not record still open
    still open: a HandleScope that no guard or hook recorded
          turn: #1 `uv_run` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0xb
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the turn):
        0: messages::uv_run_that_leaks
";

#[test]
fn never_closed_with_no_guard() {
    let fake = Fake::new(11);
    fake.level.set(Some(0));
    assert_eq!(
        message(|| uv_run_that_leaks(fake, false)),
        NEVER_CLOSED_UNSEEN
    );
}

const NEVER_CLOSED_ISOLATE: &str = "\
handleguard: never-closed: isolate ended with the HandleScope `leaked` at messages.rs:LL:CC still open
    still open: HandleScope #2 `leaked` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0xc
          rule: never-closed=panic
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the isolate):
        0: messages::dispose
";

#[inline(never)]
fn dispose(fake: Fake) {
    handleguard::end_isolate(fake);
    std::hint::black_box(());
}

#[test]
fn never_closed_by_the_end_of_the_isolate() {
    let fake = Fake::new(12);
    let text = message(|| {
        std::mem::forget(handleguard::scope(fake, "leaked"));
        dispose(fake);
    });
    assert_eq!(text, NEVER_CLOSED_ISOLATE);
}

/// What the normalised form leaves out is right, too.
#[test]
fn places_are_those_of_the_callers() {
    let fake = Fake::new(13);
    let violations = run(|| {
        let _main = handleguard::scope(fake, "main");
        let main = line!() - 1;
        let _turn = handleguard::turn(fake, "uv_run");
        let turn = line!() - 1;
        let _callback = handleguard::callback(fake, "on_close");
        let callback = line!() - 1;
        [main, turn, callback]
    });
    let [main, turn, callback] = violations.value;
    let violation: &Violation = &violations.violations[0];
    let finding = violation.finding();
    assert!(matches!(finding, Finding::MissingScope { .. }));
    let line = |place: Option<Place>| place.map(|place| place.location.line());
    assert_eq!(line(finding.callback()), Some(callback));
    assert_eq!(line(finding.opener().map(|scope| scope.place)), Some(main));
    assert_eq!(line(finding.turn().map(|turn| turn.place)), Some(turn));
    assert_eq!(finding.place().unwrap().location.file(), file!());
    let frame = &violation.trace().frames()[0];
    assert_eq!(
        frame.source(),
        Some(format!("tests/messages.rs:{callback}"))
    );
    assert_eq!(violation.thread(), std::thread::current().name().unwrap());
}

#[test]
fn handles_left_later_are_added_to_the_violation() {
    let fake = Fake::new(14);
    fake.handles.set(Some(10));
    let violations = run(|| {
        let _main = handleguard::scope(fake, "main");
        let turn = handleguard::turn(fake, "uv_run");
        fake.handles.set(Some(11));
        let callback = handleguard::callback(fake, "on_close");
        fake.handles.set(Some(14));
        drop(callback);
        fake.handles.set(Some(16));
        drop(turn);
        fake.handles.set(Some(10));
    })
    .violations;
    assert_eq!(violations.len(), 1, "{violations:#?}");
    assert_eq!(violations[0].handles(), 6);
}

/// The message of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    };
    normalised(&text, file!()).trim_end().to_owned()
}

const NOT_CLEAN: &str = "\
expected no violation, found 4 at 2 sites:

handleguard: missing-scope: callback `on_close` at messages.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope `main` at messages.rs:LL:CC
      callback: `on_close` at messages.rs:LL:CC
  swallowed by: HandleScope #1 `main` at messages.rs:LL:CC; 0 handles alive now
          turn: #1 `testing::assert_clean` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x51
          rule: missing-scope=panic
          help: open a scope in `on_close` before its first handle: `let _scope = arena.scope();`
     backtrace (at the start of the callback):
        0: messages::on_close
3 times, 6 handles left

handleguard: outer-growth: turn `testing::assert_clean` at messages.rs:LL:CC left 1 handle in the HandleScope `main` at messages.rs:LL:CC
  swallowed by: HandleScope #1 `main` at messages.rs:LL:CC; 7 handles alive now
          turn: #1 `testing::assert_clean` at messages.rs:LL:CC
        thread: <thread>
       isolate: 0x51
          rule: outer-growth=panic
          help: open a scope before creating the first handle, and escape only the handle you return: `let _scope = arena.scope();`
     backtrace (at the end of the turn):
        0: messages::a_test_that_is_not_clean_lists_each_site_once::{{closure}}";

#[test]
fn a_test_that_is_not_clean_lists_each_site_once() {
    let fake = Fake::new(0x51);
    fake.level.set(Some(1));
    fake.handles.set(Some(0));
    let _main = handleguard::scope(fake, "main");
    let make = |handles| {
        let before = fake.handles.get().expect("a count");
        fake.handles.set(Some(before + handles));
    };
    let text = panic_of(|| {
        assert_clean(|| {
            // Unrolled, it would be three stacks and so three sites.
            for _ in 0..std::hint::black_box(3) {
                on_close(fake);
                make(2);
            }
            // No handle after it is one of the callback's.
            fake.level.set(Some(2));
            drop(handleguard::scope(fake, "next"));
            fake.level.set(Some(1));
            make(1);
        })
    });
    // As the newer scheme of mangling has it.
    assert_eq!(text.replace("{closure#1}", "{{closure}}"), NOT_CLEAN);
}

#[test]
fn a_test_that_has_judged_nothing_says_why() {
    let fake = Fake::new(0x52);
    fake.level.set(Some(1));
    fake.handles.set(Some(0));
    let _main = handleguard::scope(fake, "main");
    assert_eq!(
        panic_of(|| assert_clean(|| ())),
        "handleguard::testing: nothing was judged: no guard and no hook saw the closure use an isolate on this thread"
    );
    let mut turn = Some(handleguard::turn(fake, "outer"));
    assert_eq!(
        panic_of(|| assert_clean(|| drop(turn.take()))),
        "handleguard::testing: nothing was judged: the closure ended a turn that began before it"
    );
    assert_eq!(
        panic_of(|| {
            assert_clean(|| {
                drop(handleguard::turn(fake, None));
                fake.level.set(Some(0));
            })
        }),
        "handleguard::testing: nothing was judged: the closure closed a scope that was opened before it"
    );
    fake.level.set(Some(1));
    fake.handles.set(None);
    assert_eq!(
        panic_of(|| assert_leaves_at_most(0, || ())),
        "handleguard::testing: nothing was judged: this thread has no isolate whose handles can be counted"
    );
    assert_eq!(
        panic_of(|| assert_at_most(fake, 0, || ())),
        "handleguard::testing: the handles of this engine cannot be counted"
    );
    // The disagreement is a violation of the first test, and is not reported again.
    fake.level.set(Some(1));
    let out_of_step = || {
        fake.level.set(Some(2));
        std::mem::forget(handleguard::scope(fake, "forgotten"));
        fake.level.set(Some(1));
        drop(handleguard::turn(fake, None));
    };
    assert_eq!(run(out_of_step).violations.len(), 1);
    assert_eq!(
        panic_of(|| assert_clean(out_of_step)),
        "handleguard::testing: nothing was judged: handleguard's record disagrees with the engine's count of open scopes"
    );
}

#[test]
fn more_handles_than_a_test_allows_are_counted() {
    let fake = Fake::new(0x53);
    fake.level.set(Some(1));
    fake.handles.set(Some(10));
    let _main = handleguard::scope(fake, "main");
    let grows = || fake.handles.set(Some(13));
    let expected = "expected at most 2 more handles, found 3 more";
    assert_eq!(panic_of(|| assert_at_most(fake, 2, grows)), expected);
    fake.handles.set(Some(10));
    assert_eq!(panic_of(|| assert_leaves_at_most(2, grows)), expected);
    fake.handles.set(Some(10));
    assert_leaves_at_most(3, grows);
}
