//! V8, and a host with one long-lived scope, as hosts of 2013 had.

use std::sync::Once;

pub fn start_v8() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Some lines run on threads of their own, and the default platform would tie V8 to the first.
        v8::V8::initialize_platform(v8::new_unprotected_default_platform(0, false).make_shared());
        v8::V8::initialize();
    });
}

/// `$scope` is in a context, and in a guarded HandleScope that is open to the end of the block.
macro_rules! host {
    ($scope: ident) => {
        $crate::host::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        handleguard_v8::scope!(let $scope, isolate);
        let context = v8::Context::new($scope, Default::default());
        let $scope = &mut v8::ContextScope::new($scope, context);
    };
}
pub(crate) use host;

/// The function that `source` is, an expression in JavaScript.
pub fn function<'s>(scope: &v8::PinScope<'s, '_>, source: &str) -> v8::Local<'s, v8::Function> {
    let source = v8::String::new(scope, &format!("({source})")).expect("a string");
    v8::Script::compile(scope, source, None)
        .expect("a script that compiles")
        .run(scope)
        .expect("a script that does not throw")
        .try_into()
        .expect("a function")
}
