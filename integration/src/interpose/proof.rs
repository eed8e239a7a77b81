//! Proves at the start of the program which hooks took effect.
//!
//! No flag that a build script sets would do: the linker may have dropped an argument, or kept a direct call. So each
//! function is called by its own name, as the v8 crate calls it, and its hook must be what runs. A hook that is called so
//! returns at once, and V8 is not reached. So that a function without a hook is not called with arguments made up, its address
//! is looked at before: where the linker has wrapped it, that is its twin's.

use super::extend::EXTEND;
use super::link::{HOOKS, Hook};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::OnceLock;

thread_local! {
    /// What is being proved on this thread.
    static PROBE: Cell<Probe> = const { Cell::new(Probe::None) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    None,
    /// A function is called to see whether its hook runs.
    Called,
    /// It did.
    Hooked,
}

/// Asked by each hook first: if so, this call only proves that the hook runs, and its arguments mean nothing.
#[inline]
pub(super) fn is_probing() -> bool {
    PROBE.get() != Probe::None && hooked()
}

#[cold]
fn hooked() -> bool {
    PROBE.set(Probe::Hooked);
    true
}

/// Which hooks took effect, for the start-up line.
pub(crate) fn sight() -> Result<String, String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(format!("all {} proved", hooks().count()));
    }
    Err(missing.join(", "))
}

/// Whether V8 asks handleguard before it ends the process for a handle.
pub(crate) fn sees_refused_handles() -> bool {
    !missing().contains(&EXTEND.symbol)
}

/// The functions whose hooks did not take effect. Proved once.
pub(super) fn missing() -> &'static [&'static str] {
    static MISSING: OnceLock<Vec<&str>> = OnceLock::new();
    MISSING.get_or_init(|| {
        let missing = hooks().filter(|hook| !runs(hook));
        missing.map(|hook| hook.symbol).collect()
    })
}

fn hooks() -> impl Iterator<Item = &'static Hook> {
    HOOKS.iter().chain([&EXTEND])
}

/// Whether a call of the function runs its hook.
fn runs(hook: &Hook) -> bool {
    let function = (hook.wrapped)();
    // The compiler takes it for granted that two functions have two addresses.
    if black_box(function) != black_box(hook.twin) {
        return false;
    }
    PROBE.set(Probe::Called);
    // SAFETY: what is called is the twin (looked at above), which takes more arguments by registers only, and jumps to a hook
    // that returns before it looks at any, for a probe is under way on this thread.
    unsafe {
        let function: unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize =
            std::mem::transmute(function);
        function(0, 0, 0, 0, 0, 0);
    }
    PROBE.replace(Probe::None) == Probe::Hooked
}
