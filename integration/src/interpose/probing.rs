//! The question with which each hook begins: is this call only a probe of [`proof`](super::proof)?

use crate::ffi::RawIsolate;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

thread_local! {
    /// The probe in progress on this thread.
    static PROBE: Cell<Probe> = const { Cell::new(Probe::None) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    None,
    /// A function is called to see whether its hook runs.
    Called,
    /// Its hook ran.
    Hooked,
}

/// Whether this call of a hook is a probe. Its arguments are made up then, and the hook must return at once.
#[inline]
pub(super) fn is_probing() -> bool {
    PROBE.get() != Probe::None && is_hooked()
}

#[cold]
fn is_hooked() -> bool {
    PROBE.set(Probe::Hooked);
    true
}

/// Runs `call`, and returns whether it reached a hook on this thread.
pub(super) fn reaches_a_hook(call: impl FnOnce()) -> bool {
    PROBE.set(Probe::Called);
    call();
    PROBE.replace(Probe::None) == Probe::Hooked
}

/// What a hook returns to a probe, which ignores it.
pub(super) trait Ignored {
    const VALUE: Self;
}

impl Ignored for () {
    const VALUE: Self = ();
}

impl Ignored for bool {
    const VALUE: Self = false;
}

impl Ignored for *const c_void {
    const VALUE: Self = ptr::null();
}

impl Ignored for *mut RawIsolate {
    const VALUE: Self = ptr::null_mut();
}
