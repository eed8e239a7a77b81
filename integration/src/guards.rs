//! The guards behind the macros, for scopes and turns that no macro can open: in a struct, in a box, across functions.
//!
//! A guard keeps only the name of its isolate. One that outlives the isolate does nothing when it is dropped.

use crate::isolate::{LiveV8, V8};
use crate::lifetime;
use handleguard::finding::{GcPhase, ScopeKind};
use handleguard::{CallbackGuard, GcGuard, Location, Place, ScopeGuard, TurnGuard};
use std::panic;

/// Records a scope that was just opened in `isolate`; see [`handleguard::scope`].
#[inline]
#[track_caller]
pub fn scope_guard(
    isolate: &mut v8::Isolate,
    kind: ScopeKind,
    name: impl Into<Option<&'static str>>,
) -> ScopeGuard<V8> {
    let (name, location) = (name.into(), panic::Location::caller());
    match handleguard::scope_fast(LiveV8::of(isolate).name(), kind, name, location) {
        Some(guard) => guard,
        None => scope_slow(isolate, kind, name, location),
    }
}

/// The first scope of an isolate on a thread, and each that may need a verdict.
#[inline(never)]
fn scope_slow(
    isolate: &mut v8::Isolate,
    kind: ScopeKind,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> ScopeGuard<V8> {
    let location = Location::Source(location);
    handleguard::scope_at(lifetime::follow(isolate), kind, Place { name, location })
}

/// Marks that a turn begins in `isolate`; see [`handleguard::turn`].
#[inline]
#[track_caller]
pub fn turn_guard(
    isolate: &mut v8::Isolate,
    name: impl Into<Option<&'static str>>,
) -> TurnGuard<V8> {
    handleguard::turn_at(lifetime::follow(isolate), Place::here(name))
}

/// Marks that a turn begins in the isolate that this thread has entered last: [`turn_guard`] where no scope and no isolate is at
/// hand.
///
/// Returns `None` if the thread has entered no isolate, or one that no guard and no hook has seen: without the hooks, open a guarded
/// scope in the isolate first. No turn is marked then, and a notice says so, once in the process.
#[inline]
#[track_caller]
pub fn current_turn_guard(name: impl Into<Option<&'static str>>) -> Option<TurnGuard<V8>> {
    current_turn_at(Place::here(name))
}

/// As [`current_turn_guard`], for a turn that begins at `place`.
#[inline]
pub(crate) fn current_turn_at(place: Place) -> Option<TurnGuard<V8>> {
    if !handleguard::COMPILED_IN {
        return None;
    }
    match lifetime::current_followed() {
        Some(live) => Some(handleguard::turn_at(live, place)),
        None => {
            handleguard::turn_in_no_isolate(place);
            None
        }
    }
}

/// Records that the host calls into the JavaScript of `isolate`, by a way that has no guarded twin here; see
/// [`handleguard::callback`].
#[inline]
#[track_caller]
pub fn callback_guard(
    isolate: &mut v8::Isolate,
    name: impl Into<Option<&'static str>>,
) -> CallbackGuard<V8> {
    let (name, location) = (name.into(), panic::Location::caller());
    match handleguard::callback_fast(LiveV8::of(isolate).name(), name, location) {
        Some(guard) => guard,
        None => callback_slow(isolate, name, location),
    }
}

#[inline(never)]
fn callback_slow(
    isolate: &mut v8::Isolate,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> CallbackGuard<V8> {
    let location = Location::Source(location);
    handleguard::callback_at(lifetime::follow(isolate), Place { name, location }, || None)
}

/// Marks native code that V8's garbage collector started, until the guard is dropped: put it around the body of a weak
/// callback, a finalizer or a GC callback, and around the teardown of an isolate. See [`handleguard::gc()`].
///
/// handleguard sees by itself what runs between V8's GC prologue and epilogue callbacks, the destructors of objects on the heap of
/// `cppgc`, and calls into JavaScript in a finalizer of the v8 crate (`Weak::with_finalizer`), which V8 runs after the epilogue
/// callbacks, in its second pass. It does not see that the scope around a finalizer is that of the interrupted code: mark the
/// finalizer.
///
/// ```
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// use handleguard_v8::{GcPhase, gc_guard, scope};
///
/// # scope!(let scope, isolate);
/// # let context = v8::Context::new(scope, Default::default());
/// # let scope = &mut v8::ContextScope::new(scope, context);
/// # let object = v8::Object::new(scope);
/// let weak = v8::Weak::with_finalizer(
///     scope,
///     object,
///     Box::new(|isolate| {
///         let _gc = gc_guard(isolate, GcPhase::SecondPass, "socket finalizer");
///         scope!(let scope, isolate); // without it, its handles would go to whatever was interrupted
///         let _ = v8::Number::new(scope, 0.5);
///     }),
/// );
/// ```
#[inline]
#[track_caller]
pub fn gc_guard(
    isolate: &mut v8::Isolate,
    phase: GcPhase,
    name: impl Into<Option<&'static str>>,
) -> GcGuard<V8> {
    handleguard::gc(lifetime::follow(isolate), phase, Place::here(name))
}
