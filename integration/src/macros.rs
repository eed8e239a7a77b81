/// Opens a `HandleScope` to the end of the block and binds it: [`v8::scope!`](https://docs.rs/v8/latest/v8/macro.scope.html),
/// recorded by handleguard. Same arguments, same binding.
///
/// ```
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// handleguard_v8::scope!(let scope, isolate);
/// let local = v8::Number::new(scope, 42.0);
/// # let _ = local;
/// ```
#[macro_export]
macro_rules! scope {
    ($scope: ident, $param: expr $(,)?) => {
        $crate::__private::v8::scope!($scope, $param);
        $crate::__guard_scope!($scope, HandleScope);
    };
    (let $scope: ident, $param: expr $(,)?) => {
        $crate::scope!($scope, $param);
    };
}

/// Opens a `HandleScope` and enters a context, to the end of the block: `v8::scope_with_context!`, recorded by handleguard.
/// Same arguments, same binding; as there, `v8` must be the name of the v8 crate.
#[macro_export]
macro_rules! scope_with_context {
    ($scope: ident, $param: expr, $context: expr $(,)?) => {
        $crate::__private::v8::scope_with_context!($scope, $param, $context);
        $crate::__guard_scope!($scope, HandleScope);
    };
    (let $scope: ident, $param: expr, $context: expr $(,)?) => {
        $crate::scope_with_context!($scope, $param, $context);
    };
}

/// Opens an `EscapableHandleScope` to the end of the block and binds it: `v8::escapable_handle_scope!`, recorded by
/// handleguard. Same arguments, same binding.
#[macro_export]
macro_rules! escapable_handle_scope {
    ($scope: ident, $param: expr $(,)?) => {
        $crate::__private::v8::escapable_handle_scope!($scope, $param);
        $crate::__guard_scope!($scope, EscapableHandleScope);
    };
    (let $scope: ident, $param: expr $(,)?) => {
        $crate::escapable_handle_scope!($scope, $param);
    };
}

/// Opens a `TryCatch` to the end of the block and binds it: `v8::tc_scope!`, recorded by handleguard. Same arguments, same
/// binding. It holds no handles, and does not add to the depth.
#[macro_export]
macro_rules! tc_scope {
    ($scope: ident, $param: expr $(,)?) => {
        $crate::__private::v8::tc_scope!($scope, $param);
        $crate::__guard_scope!($scope, TryCatch);
    };
    (let $scope: ident, $param: expr $(,)?) => {
        $crate::tc_scope!($scope, $param);
    };
}

/// Opens a `CallbackScope` to the end of the block and binds it: `v8::callback_scope!`, recorded by handleguard. Same
/// arguments, same binding.
///
/// In a callback that V8 called, V8 has opened a scope. In one that an event loop called, with the isolate itself as the
/// argument, **nobody has**: a `CallbackScope` opens none, and each handle stays in whatever scope is open outside. That is
/// what `missing-scope` and `outer-growth` find.
#[macro_export]
macro_rules! callback_scope {
    (unsafe $scope: ident, $param: expr $(,)?) => {
        $crate::__private::v8::callback_scope!(unsafe $scope, $param);
        $crate::__guard_scope!($scope, CallbackScope);
    };
    (unsafe let $scope: ident, $param: expr $(,)?) => {
        $crate::callback_scope!(unsafe $scope, $param);
    };
}

/// Marks one turn of the host's loop, from here to the end of the block: one pass of the event loop, one request, one
/// task. Scopes opened before it do not count as enclosing what runs in it. Turns nest.
///
/// The first argument is an isolate or any scope, borrowed for a moment. Without it, the turn is one of the isolate that this thread
/// has entered last, as where a `JsRuntime` owns the isolate; if no guard and no hook has seen one, a notice says so, once in the
/// process. The name is optional; where it stands alone, it is a literal. For a future, see
/// [`turn_each_poll`](crate::turn_each_poll).
///
/// ```
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// for _request in 0..3 {
///     handleguard_v8::turn!(isolate, "request");
///     handleguard_v8::scope!(let scope, isolate);
///     // ... call into JavaScript
/// #   let _ = scope;
/// }
/// for _request in 0..3 {
///     handleguard_v8::turn!("request"); // no scope is at hand here
///     // ... let the runtime serve it
/// }
/// ```
#[macro_export]
macro_rules! turn {
    () => {
        $crate::__turn_of_current!($crate::__function_name!());
    };
    ($name: literal $(,)?) => {
        $crate::__turn_of_current!($name);
    };
    ($isolate: expr $(,)?) => {
        $crate::turn!($isolate, $crate::__function_name!());
    };
    ($isolate: expr, $name: expr $(,)?) => {
        $crate::__private::handleguard::__if_compiled_in! {
            {
                let _handleguard_turn = $crate::turn_guard(&mut *$isolate, $name);
            } else {
                // Used in every build, so that no build warns of it.
                let _ = (&mut *$isolate, $name);
            }
        }
    };
}

/// Marks a turn of the current isolate. Expands to nothing where the checks are compiled out.
#[doc(hidden)]
#[macro_export]
macro_rules! __turn_of_current {
    ($name: expr) => {
        $crate::__private::handleguard::__if_compiled_in! {
            let _handleguard_turn = $crate::current_turn_guard($name);
        }
    };
}

/// Guards the scope that was just bound to `$scope`. Expands to nothing where the checks are compiled out.
#[doc(hidden)]
#[macro_export]
macro_rules! __guard_scope {
    ($scope: ident, $kind: ident) => {
        $crate::__private::handleguard::__if_compiled_in! {
            let _handleguard_scope = $crate::scope_guard(
                &mut *$scope,
                $crate::__private::ScopeKind::$kind,
                $crate::__function_name!(),
            );
        }
    };
}

/// The path of the function in which the macro is used.
#[doc(hidden)]
#[macro_export]
macro_rules! __function_name {
    () => {{
        fn here() {}
        $crate::__private::function_around(here)
    }};
}
