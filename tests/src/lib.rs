//! Shared by the tests on real V8.

pub mod collections;

// Links the hooks: a crate that nothing names is not linked.
use handleguard_test_support::child;
pub use handleguard_test_support::child::{SIGABRT, is_child};
pub use handleguard_test_support::normal;
#[cfg(feature = "interpose")]
use handleguard_v8 as _;
use std::process::Output;
use std::sync::Once;

/// Starts V8, once in the process.
pub fn start_v8() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Some tests collect garbage, or have a function compiled, at a moment of their choice.
        v8::V8::set_flags_from_string("--expose-gc --allow-natives-syntax");
        // Tests run on threads of their own, and the default platform would tie V8 to the first.
        v8::V8::initialize_platform(v8::new_unprotected_default_platform(0, false).make_shared());
        v8::V8::initialize();
    });
}

/// Sets up a host as of 2013: `$scope` is in a context, and in a HandleScope that is open to the end of the block. The macro's place is
/// the opener of the scope.
#[macro_export]
macro_rules! host {
    ($scope: ident, $context: ident) => {
        $crate::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        handleguard_v8::scope!(let $scope, isolate);
        let $context = v8::Context::new($scope, Default::default());
        let $scope = &mut v8::ContextScope::new($scope, $context);
    };
}

/// How stacks are captured in this build, in the words of the start-up line. `.ci/frame-pointers` sets the flag together with that of
/// the compiler.
pub const HOW_STACKS_ARE_SEEN: &str = if cfg!(frame_pointers) {
    "by frame pointers"
} else {
    "by unwind tables, and by frame pointers across JavaScript"
};

/// Compiles and runs `source`, which must not throw.
pub fn eval<'s>(scope: &v8::PinScope<'s, '_>, source: &str) -> v8::Local<'s, v8::Value> {
    let source = v8::String::new(scope, source).expect("a string");
    let script = v8::Script::compile(scope, source, None).expect("a script that compiles");
    script.run(scope).expect("a script that does not throw")
}

/// The origin of a script or module that is a file of that name.
pub fn origin<'s>(
    scope: &v8::PinScope<'s, '_>,
    name: &str,
    is_module: bool,
) -> v8::ScriptOrigin<'s> {
    let name = v8::String::new(scope, name).expect("a string");
    v8::ScriptOrigin::new(
        scope,
        name.into(),
        0,
        0,
        false,
        0,
        None,
        false,
        false,
        is_module,
        None,
    )
}

/// Evaluates `source`, which is a function, as line 1 of `handlers.js`.
pub fn function<'s>(scope: &v8::PinScope<'s, '_>, source: &str) -> v8::Local<'s, v8::Function> {
    let source = v8::String::new(scope, &format!("({source})")).expect("a string");
    v8::Script::compile(scope, source, Some(&origin(scope, "handlers.js", false)))
        .expect("a script that compiles")
        .run(scope)
        .expect("a script that does not throw")
        .try_into()
        .expect("a function")
}

/// Runs the test `name` of this binary again, in a process of its own, with `handleguard` as directives. Shows its output if the
/// parent fails.
pub fn child(name: &str, handleguard: &str) -> Output {
    let output = child_with(name, handleguard, []);
    println!("{}", child::shown(&output));
    output
}

/// As [`child`], with more environment variables, and silent.
pub fn child_with<'a>(
    name: &str,
    handleguard: &str,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Output {
    child::run(child::command(name, handleguard).envs(variables))
}
