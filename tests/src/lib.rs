//! What the tests on real V8 share.

use std::sync::Once;

/// Starts V8, once in the process.
pub fn start_v8() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Tests run on threads of their own, so the platform must not belong to one.
        v8::V8::initialize_platform(v8::new_unprotected_default_platform(0, false).make_shared());
        v8::V8::initialize();
    });
}

/// Compiles and runs `source`, which must not throw.
pub fn eval<'s>(scope: &v8::PinScope<'s, '_>, source: &str) -> v8::Local<'s, v8::Value> {
    let source = v8::String::new(scope, source).expect("a string");
    let script = v8::Script::compile(scope, source, None).expect("a script that compiles");
    script.run(scope).expect("a script that does not throw")
}

/// As [`eval`], for a source that is a function.
pub fn function<'s>(scope: &v8::PinScope<'s, '_>, source: &str) -> v8::Local<'s, v8::Function> {
    eval(scope, &format!("({source})"))
        .try_into()
        .expect("a function")
}
