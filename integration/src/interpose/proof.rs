//! Proves at the start of the program which hooks took effect.
//!
//! No flag that a build script sets would do: the linker may have dropped an argument, or kept a direct call. So each
//! function is called by its own name, as the v8 crate calls it, and its hook must be what runs. A hook that is called so
//! returns at once, and V8 is not reached. So that a function without a hook is not called with arguments made up, its address
//! is looked at before: where the linker has wrapped it, that is its twin's.

use super::extend::EXTEND;
use super::link::{HOOKS, Hook, Use};
use handleguard::hooks;
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
    PROBE.get() != Probe::None && is_hooked()
}

#[cold]
fn is_hooked() -> bool {
    PROBE.set(Probe::Hooked);
    true
}

/// Which hooks took effect, for the start-up line.
pub(crate) fn capabilities() -> Result<String, String> {
    let all = hooks().count();
    match missing() {
        [] => Ok(format!("{all} of {all} proved")),
        missing if missing.len() == all => Err(format!(
            "none of {all} was put in by the linker: call `handleguard_build::link_hooks()` in the build script of the program \
             itself, for cargo drops the link arguments of a dependency's, or put the flags that the command `handleguard-build` \
             prints into `.cargo/config.toml`; until then, {}",
            blind(missing)
        )),
        missing => Err(format!(
            "{} of {all} took effect, and not {}: the list in `handleguard-build` is of another version, or this linker left \
             them out; so {}",
            all - missing.len(),
            missing
                .iter()
                .map(|hook| hook.symbol)
                .collect::<Vec<_>>()
                .join(", "),
            blind(missing)
        )),
    }
}

/// What is not seen without those hooks.
fn blind(missing: &[&Hook]) -> String {
    let uses = Use::ALL
        .into_iter()
        .filter(|serves| missing.iter().any(|hook| hook.serves == *serves));
    uses.map(Use::blind).collect::<Vec<_>>().join("; ")
}

/// Whether V8 asks handleguard before it ends the process for a handle.
pub(crate) fn sees_refused_handles() -> bool {
    !missing().iter().any(|hook| hook.serves == Use::Refused)
}

/// The hooks that did not take effect. Proved once.
fn missing() -> &'static [&'static Hook] {
    static MISSING: OnceLock<Vec<&Hook>> = OnceLock::new();
    MISSING.get_or_init(|| hooks().filter(|hook| !runs(hook)).collect())
}

fn hooks() -> impl Iterator<Item = &'static Hook> {
    HOOKS.iter().chain([&EXTEND])
}

/// Run before `main`: where no hook took effect, nobody else would say so. Kept by the object file that the twins are in, for
/// the linker is told of those.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        if missing().len() == hooks().count()
            && let Err(why) = capabilities()
        {
            hooks::none_took_effect(&why);
        }
    }
    at_load
};

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
