//! Proves at the start of the program which hooks took effect.
//!
//! No flag that a build script sets would do: the linker may have dropped an argument, or kept a direct call. So each
//! function is called by its own symbol, as the v8 crate calls it, and its hook must run. The hook returns at once to such a
//! [probe](probing), and V8 is not reached. A function without a hook must not be called with made-up arguments, so its address
//! is compared first: where the linker wrapped the function, it is that of the twin.

use super::extend::EXTEND;
use super::hook::{Hook, Use};
use super::probing;
use super::twins::HOOKS;
use handleguard::hooks;
use std::hint::black_box;
use std::sync::OnceLock;

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

/// What the checker does not see without those hooks.
fn blind(missing: &[&Hook]) -> String {
    let uses = Use::ALL
        .into_iter()
        .filter(|serves| missing.iter().any(|hook| hook.serves == *serves));
    uses.map(Use::blind).collect::<Vec<_>>().join("; ")
}

/// Whether the hook in `Extend` runs before V8 ends the process for a handle that it refuses.
pub(crate) fn sees_refused_handles() -> bool {
    !missing().iter().any(|hook| hook.serves == Use::Refused)
}

/// Whether the hooks record each persistent handle that the host makes or resets.
pub(crate) fn sees_persistent_handles() -> bool {
    !missing().iter().any(|hook| hook.serves == Use::Persistent)
}

/// The hooks that did not take effect, as the first call finds.
fn missing() -> &'static [&'static Hook] {
    static MISSING: OnceLock<Vec<&Hook>> = OnceLock::new();
    MISSING.get_or_init(|| hooks().filter(|hook| !runs(hook)).collect())
}

fn hooks() -> impl Iterator<Item = &'static Hook> {
    HOOKS.iter().chain([&EXTEND])
}

/// Runs before `main`: where no hook took effect, nothing else would report that. The linker keeps it with the twins, which are in
/// the same object file and which `--wrap` names.
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
    probing::reaches_a_hook(|| {
        // SAFETY: the function is the twin (looked at above), which takes more arguments by registers only, and jumps to a hook
        // that returns before it looks at any, for a probe is in progress on this thread.
        unsafe {
            let function: unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize =
                std::mem::transmute(function);
            function(0, 0, 0, 0, 0, 0);
        }
    })
}
