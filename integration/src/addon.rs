//! For a host that loads binary add-ons: the guard of a call into an add-on, and guards of what the host does on its behalf.

use crate::isolate::V8;
use crate::{call, lifetime};
use handleguard::finding::ScopeKind;
use handleguard::{AddonFunction, AddonGuard, CallbackGuard, ScopeGuard};

/// Records that the host calls `function` of an add-on now; see [`handleguard::addon`]. The add-on itself knows nothing of it.
///
/// ```
/// use handleguard_v8::addon_guard;
/// use handleguard_v8::handleguard::AddonFunction;
///
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// # extern "C" fn on_timer() {}
/// let guarded = AddonFunction::new("addons/libtimers.so".as_ref(), "on_timer"); // once, when it is loaded
/// for _timer in 0..3 {
///     let _addon = addon_guard(isolate, guarded);
///     on_timer();
/// }
/// ```
#[inline]
pub fn addon_guard(isolate: &mut v8::Isolate, function: AddonFunction) -> AddonGuard<V8> {
    handleguard::addon(lifetime::follow(isolate), function)
}

/// Records a scope that the host opened on behalf of `function` of an add-on; see [`handleguard::scope_at`].
#[inline]
pub fn addon_scope_guard(
    isolate: &mut v8::Isolate,
    kind: ScopeKind,
    function: AddonFunction,
) -> ScopeGuard<V8> {
    handleguard::scope_at(lifetime::follow(isolate), kind, function.place())
}

/// Records that the host calls the JavaScript function `callee` now, on behalf of `function` of an add-on; see
/// [`handleguard::callback_at`].
#[inline]
pub fn addon_callback_guard(
    isolate: &v8::Isolate,
    function: AddonFunction,
    callee: &v8::Function,
) -> CallbackGuard<V8> {
    call::enter(isolate, function.place(), callee)
}
