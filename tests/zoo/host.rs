//! Shared by the hosts of the specimens.

use std::ptr::NonNull;
use v8::{Context, Function, Global, Isolate, Local, PinScope};

/// Sets up a host as of 2013: `$scope` is in a context, and in a HandleScope that is open to the end of the block. The macro's place is
/// the opener of the scope.
macro_rules! host {
    ($scope:ident) => {
        host!($scope, _context);
    };
    ($scope:ident, $context:ident) => {
        handleguard_tests::start_v8();
        let isolate = &mut v8::Isolate::new(Default::default());
        scope!(let $scope, isolate);
        let $context = v8::Context::new($scope, Default::default());
        let $scope = &mut v8::ContextScope::new($scope, $context);
    };
}
pub(crate) use host;

/// The function that `source` is, kept as hosts keep their callbacks.
pub fn global(scope: &PinScope, source: &str) -> Global<Function> {
    let function = handleguard_tests::function(scope, source);
    Global::new(scope, function)
}

/// The state of a host of today, which has no scope open outside its callbacks.
#[derive(Clone)]
pub struct Realm {
    pub context: Global<Context>,
    pub callback: Global<Function>,
}

impl Realm {
    pub fn new(isolate: &mut Isolate, source: &str) -> Self {
        v8::scope!(let scope, isolate);
        let context = Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        Self {
            context: Global::new(scope, context),
            callback: global(scope, source),
        }
    }
}

/// Returns the handle that `global` keeps instead of a new one: node's `PersistentToLocal::Strong`.
pub fn strong<'s, T>(isolate: &mut Isolate, global: &Global<T>) -> Local<'s, T> {
    let slot = NonNull::from(global.open(isolate));
    // SAFETY: a `Local` is the address of a slot that V8 holds the object in (`handle.rs`), as what `open` gives is; the
    // specimens' globals outlive what they call. A size that differs does not compile.
    unsafe { std::mem::transmute::<NonNull<T>, Local<'s, T>>(slot) }
}

/// An isolate that no thread has entered.
pub fn parked() -> v8::OwnedIsolate {
    handleguard_tests::start_v8();
    let isolate = v8::Isolate::new(Default::default());
    // SAFETY: entered when it was made.
    unsafe { isolate.exit() };
    isolate
}
