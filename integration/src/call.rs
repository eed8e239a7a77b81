//! Guarded twins of the v8 crate's functions that enter JavaScript: same arguments, same results, and a callback that
//! handleguard judges.

use crate::V8;
use handleguard::{CallbackGuard, Place, callback_at};
use v8::{Context, Local, Object, PinScope, Value};

/// [`v8::Function`], guarded.
pub trait GuardedFunction {
    /// `Function::call`, as a callback.
    #[track_caller]
    fn guarded_call<'s>(
        &self,
        scope: &PinScope<'s, '_>,
        recv: Local<Value>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Value>>;

    /// `Function::call_with_context`, as a callback.
    #[track_caller]
    fn guarded_call_with_context<'s>(
        &self,
        scope: &PinScope<'s, '_, ()>,
        context: Local<Context>,
        recv: Local<Value>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Value>>;

    /// `Function::new_instance`, as a callback.
    #[track_caller]
    fn guarded_new_instance<'s>(
        &self,
        scope: &PinScope<'s, '_>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Object>>;
}

impl GuardedFunction for v8::Function {
    #[inline]
    #[track_caller]
    fn guarded_call<'s>(
        &self,
        scope: &PinScope<'s, '_>,
        recv: Local<Value>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Value>> {
        let _callback = enter(scope, Place::here("Function::call"), self);
        self.call(scope, recv, args)
    }

    #[inline]
    #[track_caller]
    fn guarded_call_with_context<'s>(
        &self,
        scope: &PinScope<'s, '_, ()>,
        context: Local<Context>,
        recv: Local<Value>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Value>> {
        let _callback = enter(scope, Place::here("Function::call_with_context"), self);
        self.call_with_context(scope, context, recv, args)
    }

    #[inline]
    #[track_caller]
    fn guarded_new_instance<'s>(
        &self,
        scope: &PinScope<'s, '_>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Object>> {
        let _callback = enter(scope, Place::here("Function::new_instance"), self);
        self.new_instance(scope, args)
    }
}

/// [`v8::Script`], guarded.
pub trait GuardedScript {
    /// `Script::run`, as a callback.
    #[track_caller]
    fn guarded_run<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Value>>;
}

impl GuardedScript for v8::Script {
    #[inline]
    #[track_caller]
    fn guarded_run<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Value>> {
        let _callback = callback_at(V8::of(scope), Place::here("Script::run"), || None);
        self.run(scope)
    }
}

/// [`v8::Module`], guarded.
pub trait GuardedModule {
    /// `Module::evaluate`, as a callback.
    #[track_caller]
    fn guarded_evaluate<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Value>>;
}

impl GuardedModule for v8::Module {
    #[inline]
    #[track_caller]
    fn guarded_evaluate<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Value>> {
        let _callback = callback_at(V8::of(scope), Place::here("Module::evaluate"), || None);
        self.evaluate(scope)
    }
}

/// [`v8::Isolate`], guarded.
pub trait GuardedIsolate {
    /// `Isolate::perform_microtask_checkpoint`, as a callback.
    #[track_caller]
    fn guarded_perform_microtask_checkpoint(&mut self);
}

impl GuardedIsolate for v8::Isolate {
    #[inline]
    #[track_caller]
    fn guarded_perform_microtask_checkpoint(&mut self) {
        let place = Place::here("Isolate::perform_microtask_checkpoint");
        let _callback = callback_at(V8::of(self), place, || None);
        self.perform_microtask_checkpoint();
    }
}

/// [`v8::MicrotaskQueue`], guarded.
pub trait GuardedMicrotaskQueue {
    /// `MicrotaskQueue::perform_checkpoint`, as a callback.
    #[track_caller]
    fn guarded_perform_checkpoint(&self, isolate: &mut v8::Isolate);
}

impl GuardedMicrotaskQueue for v8::MicrotaskQueue {
    #[inline]
    #[track_caller]
    fn guarded_perform_checkpoint(&self, isolate: &mut v8::Isolate) {
        let place = Place::here("MicrotaskQueue::perform_checkpoint");
        let _callback = callback_at(V8::of(isolate), place, || None);
        self.perform_checkpoint(isolate);
    }
}

/// The callback of a call of `function` at `place`.
#[inline]
pub(crate) fn enter(
    isolate: &v8::Isolate,
    place: Place,
    function: &v8::Function,
) -> CallbackGuard<V8> {
    callback_at(V8::of(isolate), place, || callee(isolate, function))
}

/// `onClose (handlers.js:12:20)`, as stack traces of JavaScript have it; `<anonymous>` where the function has no name.
///
/// Makes handles, in a scope of its own: no count of the host changes.
#[cold]
fn callee(isolate: &v8::Isolate, function: &v8::Function) -> Option<String> {
    // SAFETY: the isolate is live as long as `isolate` is borrowed, and this one is gone before that ends. Nothing here
    // touches its slots, which a caller could have borrowed.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate.as_raw_isolate_ptr()) };
    v8::scope!(let scope, &mut isolate);
    // SAFETY: `HandleScope` has its context parameter only in a `PhantomData`; the v8 crate's own `Deref` from one to the
    // other is this cast the other way round (`scope.rs`, `cast_pinned_ref`). What is asked below looks at the function
    // alone, and not at the current context.
    let scope: &PinScope<'_, '_> = unsafe { std::mem::transmute(&*scope) };
    let name = function.get_name(scope).to_rust_string_lossy(scope);
    let name = if name.is_empty() {
        "<anonymous>"
    } else {
        &name
    };
    let script = function
        .get_script_origin(scope)
        .resource_name()
        .filter(|name| name.is_string())
        .map(|name| name.to_rust_string_lossy(scope));
    let line = function.get_script_line_number().map(|line| line + 1);
    let column = function.get_script_column_number().map(|column| column + 1);
    Some(match (script, line, column) {
        (Some(script), Some(line), Some(column)) => format!("{name} ({script}:{line}:{column})"),
        (Some(script), ..) => format!("{name} ({script})"),
        (None, ..) => name.to_owned(),
    })
}
