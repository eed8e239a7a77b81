//! The guards behind the macros, for scopes and turns that no macro can open: in a struct, in a box, across functions.

use crate::{V8, watch};
use handleguard::finding::ScopeKind;
use handleguard::{CallbackGuard, Place, ScopeGuard, TurnGuard};

/// Records a scope that was just opened in `isolate`; see [`handleguard::scope`].
#[inline]
#[track_caller]
pub fn scope_guard(
    isolate: &mut v8::Isolate,
    kind: ScopeKind,
    name: impl Into<Option<&'static str>>,
) -> ScopeGuard<V8> {
    handleguard::scope_at(watch::watch(isolate), kind, Place::here(name))
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
    handleguard::callback_at(watch::watch(isolate), Place::here(name), || None)
}
