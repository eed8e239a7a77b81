//! Who made the handles that a turn leaves, without the hooks too: where V8 runs JavaScript or settles a promise, it calls back.

use handleguard_tests::{child, eval, function, host, is_child};
use handleguard_v8::handleguard::finding::Seen;
use handleguard_v8::handleguard::{Rule, Violation};
use handleguard_v8::{scope, testing, turn};

/// How a maker is seen in this build.
const SEEN: Seen = if cfg!(feature = "interpose") {
    Seen::Making
} else {
    Seen::Calling
};

#[inline(never)]
fn settles(scope: &v8::PinScope, resolver: &v8::Global<v8::PromiseResolver>) {
    let resolver = v8::Local::new(scope, resolver);
    let value = v8::Number::new(scope, 0.5);
    resolver.resolve(scope, value.into());
    // No tail call, which would leave this function out of the stack.
    std::hint::black_box(());
}

#[inline(never)]
fn reads(scope: &v8::PinScope, object: &v8::Global<v8::Object>) {
    let object = v8::Local::new(scope, object);
    let key = v8::String::new(scope, "state").unwrap();
    object.get(scope, key.into());
    // As above.
    std::hint::black_box(());
}

fn only(violations: Vec<Violation>) -> Violation {
    let [violation] =
        <[Violation; 1]>::try_from(violations).unwrap_or_else(|all| panic!("{all:#?}"));
    assert_eq!(violation.rule(), Rule::OuterGrowth);
    violation
}

#[track_caller]
fn assert_made_by(violation: &Violation, name: &str) {
    let makers = violation.finding().makers();
    let makers: Vec<_> = makers
        .iter()
        .map(|maker| (maker.place.name, maker.seen))
        .collect();
    assert_eq!(makers, [(Some(name), SEEN)], "{violation}");
    let frames = violation.trace().frames();
    assert!(
        frames.iter().any(|frame| frame.function == name),
        "{frames:#?}"
    );
}

#[test]
fn the_function_that_settles_a_promise_is_named() {
    host!(scope, _context);
    let resolver = {
        scope!(let scope, scope);
        let resolver = v8::PromiseResolver::new(scope).unwrap();
        v8::Global::new(scope, resolver)
    };
    let violation = only(
        testing::run(|| {
            turn!(scope, "loop");
            settles(scope, &resolver);
        })
        .violations,
    );
    assert_made_by(&violation, "v8::makers::settles");
    testing::assert_clean(|| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        settles(scope, &resolver);
    });
}

/// V8 does not call back from `Object::Get`, so only the hooks see it.
#[test]
fn the_function_that_reads_a_property_is_named_by_the_hooks() {
    host!(scope, _context);
    let object = {
        scope!(let scope, scope);
        let object = eval(scope, "({ get state() { return {} } })");
        v8::Global::new(scope, object.cast::<v8::Object>())
    };
    let violation = only(testing::run(|| reads(scope, &object)).violations);
    match SEEN {
        Seen::Making => assert_made_by(&violation, "v8::makers::reads"),
        _ => assert!(violation.finding().makers().is_empty(), "{violation}"),
    }
    testing::assert_clean(|| {
        scope!(let scope, scope);
        reads(scope, &object);
    });
}

/// JavaScript calls native code, which calls V8: all in the scope that the host opened.
#[test]
fn calls_of_v8_inside_a_scope_of_the_turn_name_nobody() {
    host!(scope, _context);
    fn native(scope: &mut v8::PinScope, _: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        let object = eval(scope, "({ state: 1 })").cast::<v8::Object>();
        let object = v8::Global::new(scope, object);
        for _ in 0..3 {
            reads(scope, &object);
        }
    }
    let native = v8::Function::new(scope, native).unwrap();
    let callee = function(scope, "function f(native) { native(); return native() }");
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    let violation = only(
        testing::run(|| {
            turn!(scope, "loop");
            {
                scope!(let scope, scope);
                callee.call(scope, undefined, &[native.into()]).unwrap();
            }
            let _ = v8::Number::new(scope, 0.5);
            std::hint::black_box(());
        })
        .violations,
    );
    let makers = violation.finding().makers();
    let names: Vec<_> = makers.iter().filter_map(|maker| maker.place.name).collect();
    let own = "v8::makers::calls_of_v8_inside_a_scope_of_the_turn_name_nobody::{{closure}}";
    assert_eq!(
        names,
        if cfg!(feature = "interpose") {
            vec![own]
        } else {
            vec![]
        }
    );
}

#[test]
fn the_text_says_how_much_was_seen() {
    const NAME: &str = "makers::the_text_says_how_much_was_seen";
    if is_child() {
        host!(scope, _context);
        let resolver = {
            scope!(let scope, scope);
            let resolver = v8::PromiseResolver::new(scope).unwrap();
            v8::Global::new(scope, resolver)
        };
        turn!(scope, "loop");
        settles(scope, &resolver);
        return;
    }
    let output = child(NAME, "log");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let (made, note) = match SEEN {
        Seen::Making => (", made by `v8::makers::settles` at ", None),
        _ => (
            ", made before a call of the engine by `v8::makers::settles` at ",
            Some("          note: without the hook that lets refused handles through, "),
        ),
    };
    assert!(text.contains(made), "{text}");
    assert!(note.is_none_or(|note| text.contains(note)), "{text}");
}

/// An isolate may end in a watched turn, and V8's callback with it.
#[test]
fn an_isolate_that_ends_in_its_turn_is_forgotten() {
    const NAME: &str = "makers::an_isolate_that_ends_in_its_turn_is_forgotten";
    if is_child() {
        handleguard_tests::start_v8();
        for _ in 0..30 {
            let mut isolate = v8::Isolate::new(Default::default());
            let turn = {
                scope!(let scope, &mut isolate);
                handleguard_v8::turn_guard(scope, "loop")
            };
            drop(isolate);
            drop(turn);
        }
        return;
    }
    assert!(child(NAME, "count").status.success());
}
