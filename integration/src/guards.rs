//! The guards behind the macros, for scopes and turns that no macro can open: in a struct, in a box, across functions.

use crate::engine::{LiveV8, V8};
use crate::watch;
use handleguard::LiveIsolate;
use handleguard::finding::ScopeKind;
use handleguard::{CallbackGuard, Location, Place, ScopeGuard, TurnGuard};
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
    match handleguard::scope_fast(LiveV8::of(isolate).engine(), kind, name, location) {
        Some(guard) => guard,
        None => scope_watched(isolate, kind, name, location),
    }
}

/// The first scope of an isolate on a thread, and any that there may be something to say of.
#[inline(never)]
fn scope_watched(
    isolate: &mut v8::Isolate,
    kind: ScopeKind,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> ScopeGuard<V8> {
    let location = Location::Source(location);
    handleguard::scope_at(watch::watch(isolate), kind, Place { name, location })
}

/// Marks that a turn begins in `isolate`; see [`handleguard::turn`].
#[inline]
#[track_caller]
pub fn turn_guard(
    isolate: &mut v8::Isolate,
    name: impl Into<Option<&'static str>>,
) -> TurnGuard<V8> {
    handleguard::turn_at(watch::watch(isolate), Place::here(name))
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
    match handleguard::callback_fast(LiveV8::of(isolate).engine(), name, location) {
        Some(guard) => guard,
        None => callback_watched(isolate, name, location),
    }
}

#[inline(never)]
fn callback_watched(
    isolate: &mut v8::Isolate,
    name: Option<&'static str>,
    location: &'static panic::Location<'static>,
) -> CallbackGuard<V8> {
    let location = Location::Source(location);
    handleguard::callback_at(watch::watch(isolate), Place { name, location }, || None)
}
