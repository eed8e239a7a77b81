//! Native stacks, from the callback to the host, across JavaScript.

use handleguard_tests::{function, start_v8};
use handleguard_v8::{GuardedFunction, scope, testing, turn};

#[test]
fn a_stack_goes_on_below_javascript_down_to_the_host() {
    fn native(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue) {
        turn!(scope, "nested loop");
        let callback: v8::Local<v8::Function> = args.get(0).try_into().unwrap();
        let undefined = v8::undefined(scope).into();
        callback.guarded_call(scope, undefined, &[]);
    }

    start_v8();
    let isolate = &mut v8::Isolate::new(Default::default());
    scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let callback = function(scope, "(native) => native(() => 1)");
    let native = v8::Function::new(scope, native).unwrap();
    let undefined = v8::undefined(scope).into();
    let violations = testing::run(|| {
        turn!(scope, "loop");
        scope!(let scope, scope);
        callback.guarded_call(scope, undefined, &[native.into()]);
    })
    .violations;
    assert_eq!(violations.len(), 1);
    let frames = violations[0].trace().frames();
    let mut names = frames.iter().map(|frame| frame.function.as_str());
    for expected in [
        "::native",
        "Builtins_CallApiCallback",
        "Builtins_InterpreterEntryTrampoline",
        "Builtins_JSEntry",
        "v8::Function::Call",
        "a_stack_goes_on_below_javascript_down_to_the_host",
    ] {
        assert!(
            names.any(|name| name.contains(expected)),
            "no `{expected}` in its place: {frames:#?}"
        );
    }
}
