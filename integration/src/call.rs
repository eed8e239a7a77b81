//! Guarded twins of the v8 crate's functions that enter JavaScript: same arguments, same results, and a callback that
//! handleguard judges.
//!
//! The callback has no name here: a report names the function that calls the twin, as the stack has it.

use crate::interpose::isolates::has_isolate_hooks;
use crate::isolate::{LiveV8, V8};
use handleguard::{CallbackGuard, Engine, Location, Place, callback_at, checkpoint_at};
use std::panic;
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
        let _callback = enter_here(scope, None, self);
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
        let _callback = enter_here(scope, None, self);
        self.call_with_context(scope, context, recv, args)
    }

    #[inline]
    #[track_caller]
    fn guarded_new_instance<'s>(
        &self,
        scope: &PinScope<'s, '_>,
        args: &[Local<Value>],
    ) -> Option<Local<'s, Object>> {
        let _callback = enter_here(scope, None, self);
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
        let _callback = callback_at(LiveV8::of(scope), Place::here(None), || None);
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
        let _callback = callback_at(LiveV8::of(scope), Place::here(None), || None);
        self.evaluate(scope)
    }
}

/// [`v8::Isolate`], guarded.
pub trait GuardedIsolate {
    /// `Isolate::perform_microtask_checkpoint`, as a callback that needs no scope around it: V8 opens one for the microtasks
    /// (`microtask-queue.cc`, `MicrotaskQueue::RunMicrotasks`). `outer-growth` judges what the checkpoint leaves.
    #[track_caller]
    fn guarded_perform_microtask_checkpoint(&mut self);

    /// `Isolate::enter`, recorded: [`guarded_exit`](Self::guarded_exit) reports what is opened from here on and still open then.
    ///
    /// # Safety
    ///
    /// As `Isolate::enter`'s: one exit follows on the same thread, and no other thread uses the isolate until then.
    #[track_caller]
    unsafe fn guarded_enter(&self);

    /// `Isolate::exit`, judged: by `wrong-isolate` and `wrong-thread`, if the isolate is not the current one of this thread, and
    /// by `never-closed`, if scopes opened since [`guarded_enter`](Self::guarded_enter) are still open.
    ///
    /// # Safety
    ///
    /// As `Isolate::exit`'s: the isolate was entered on this thread, and is its current one.
    #[track_caller]
    unsafe fn guarded_exit(&self);
}

impl GuardedIsolate for v8::Isolate {
    #[inline]
    #[track_caller]
    fn guarded_perform_microtask_checkpoint(&mut self) {
        let place = Place::here(None);
        let _checkpoint = checkpoint_at(LiveV8::of(self), place);
        self.perform_microtask_checkpoint();
    }

    #[inline]
    #[track_caller]
    unsafe fn guarded_enter(&self) {
        // SAFETY: one exit follows on this thread, as this function requires.
        unsafe { self.enter() };
        if !hooks_record(self) {
            handleguard::enter(LiveV8::of(self), Place::here("Isolate::enter"));
        }
    }

    #[inline]
    #[track_caller]
    unsafe fn guarded_exit(&self) {
        if !hooks_record(self) {
            handleguard::exit(LiveV8::of(self), Place::here("Isolate::exit"));
        }
        // SAFETY: the isolate is the current one of this thread, as this function requires.
        unsafe { self.exit() };
    }
}

/// [`v8::MicrotaskQueue`], guarded.
pub trait GuardedMicrotaskQueue {
    /// `MicrotaskQueue::perform_checkpoint`, as a callback that needs no scope around it, as
    /// [`guarded_perform_microtask_checkpoint`](GuardedIsolate::guarded_perform_microtask_checkpoint).
    #[track_caller]
    fn guarded_perform_checkpoint(&self, isolate: &mut v8::Isolate);
}

impl GuardedMicrotaskQueue for v8::MicrotaskQueue {
    #[inline]
    #[track_caller]
    fn guarded_perform_checkpoint(&self, isolate: &mut v8::Isolate) {
        let place = Place::here(None);
        let _checkpoint = checkpoint_at(LiveV8::of(isolate), place);
        self.perform_checkpoint(isolate);
    }
}

/// Records a call of `function` at the caller's place.
#[inline]
#[track_caller]
pub(crate) fn enter_here(
    isolate: &v8::Isolate,
    name: Option<&'static str>,
    function: &v8::Function,
) -> CallbackGuard<V8> {
    let location = panic::Location::caller();
    match handleguard::callback_fast(LiveV8::of(isolate).name(), name, location) {
        Some(guard) => guard,
        None => enter_slow(isolate, name, location, function),
    }
}

#[inline(never)]
fn enter_slow(
    isolate: &v8::Isolate,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
    function: &v8::Function,
) -> CallbackGuard<V8> {
    let place = Place {
        name,
        location: Location::Source(location),
    };
    enter(isolate, place, function)
}

/// Records a call of `function` at `place`.
#[inline]
pub(crate) fn enter(
    isolate: &v8::Isolate,
    place: Place,
    function: &v8::Function,
) -> CallbackGuard<V8> {
    let live = LiveV8::of(isolate);
    callback_at(live, place, || Some(live.callee(function)))
}

/// Whether the hooks record each time that the isolate is entered and left.
fn hooks_record(isolate: &v8::Isolate) -> bool {
    has_isolate_hooks(LiveV8::of(isolate).name().isolate())
}
