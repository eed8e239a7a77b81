//! Add-ons: native code of others, which a host loads and calls, and which knows nothing of the checker.
//!
//! Each call into an add-on is a turn of its own, named by the add-on's file and symbol. So whatever the add-on leaves behind
//! is its own: handles, scopes left open, callbacks without a scope. The action can be its own too, by
//! [`Config::addon`](crate::Config::addon): the misuse of a third party need not end the host.

use crate::config::addon::{AddonFunction, CURRENT, Current};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::turn::{TurnGuard, turn_at};
use std::fmt;
use std::marker::PhantomData;

/// Marks a call into an add-on, as long as the guard lives. Made by [`addon`].
#[must_use = "if unused the call is over immediately"]
#[derive(Debug)]
pub struct AddonGuard<E: Engine> {
    _turn: TurnGuard<E>,
    // Fields are dropped in this order: the turn ends while the add-on's action still applies.
    _outer: Outer,
}

/// Restores the call that was under way before.
struct Outer(Option<Current>, PhantomData<*const ()>);

impl fmt::Debug for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outer")
    }
}

/// Records that the host calls `function` of an add-on now; the call is over when the guard is dropped. It is a
/// [turn](crate::turn) in which the actions are the add-on's.
///
/// `panic` aborts instead where the add-on's frames are on the stack: no panic may unwind through them.
///
/// ```no_run
/// # fn call(isolate: impl handleguard::LiveIsolate) {
/// let on_timer = handleguard::AddonFunction::new("addons/libtimers.so".as_ref(), "on_timer");
/// {
///     let _addon = handleguard::addon(isolate, on_timer);
///     // ... call it
/// }
/// # }
/// ```
///
/// # Panics and aborts
///
/// When the guard is dropped, by the add-on's action for `outer-growth` and `never-closed`.
#[inline]
pub fn addon<L: LiveIsolate>(isolate: L, function: AddonFunction) -> AddonGuard<L::Engine> {
    // The turn begins in the host: a wrong thread or isolate is its own mistake.
    let turn = turn_at(isolate, function.place());
    let outer = CURRENT.replace(Some(Current {
        file: function.file(),
        running: true,
    }));
    AddonGuard {
        _turn: turn,
        _outer: Outer(outer, PhantomData),
    }
}

impl<E: Engine> Drop for AddonGuard<E> {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(CURRENT.get().map(|current| Current {
            running: false,
            ..current
        }));
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

#[cfg(all(test, feature = "testing", not(loom)))]
mod tests {
    use super::*;
    use crate::config::action::Action;
    use crate::config::settings::Config;
    use crate::engine::fake::Fake;
    use crate::engine::ids::IsolateId;
    use std::path::Path;

    #[test]
    fn a_function_is_named_by_file_and_symbol() {
        let function = AddonFunction::new(Path::new("addons/libtimers.so"), "on_timer");
        assert_eq!(function.file(), "libtimers.so");
        assert_eq!(
            function.to_string(),
            "`libtimers.so!on_timer` at addons/libtimers.so"
        );
    }

    #[test]
    fn a_name_that_a_terminal_would_obey_is_harmless_and_still_has_its_action() {
        let name = "lib\u{1b}[2J\n.so";
        let function = AddonFunction::new(&Path::new("addons").join(name), &"f\u{202e}".repeat(40));
        assert_eq!(function.file(), r"lib\u{1b}[2J\n.so");
        assert_eq!(
            function.to_string(),
            format!(
                r"`lib\u{{1b}}[2J\n.so!{}…` at addons/lib\u{{1b}}[2J\n.so",
                r"f\u{202e}".repeat(28) + "f"
            )
        );
        let config = Config::new().addon(name, Action::Log);
        assert_eq!(config.addon_action_of(name), Some(Action::Log));
        assert_eq!(config.addon_action_of(function.file()), Some(Action::Log));
    }

    #[test]
    fn calls_nest_and_end() {
        let fake = Fake::new(IsolateId(0xadd0));
        let file = || CURRENT.get().map(|current| (current.file, current.running));
        let function = |path: &str| AddonFunction::new(Path::new(path), "f");
        assert_eq!(file(), None);
        {
            let _outer = addon(fake, function("a/liba.so"));
            {
                let _inner = addon(fake, function("libb.so"));
                assert_eq!(file(), Some(("libb.so", true)));
            }
            assert_eq!(file(), Some(("liba.so", true)));
        }
        assert_eq!(file(), None);
    }
}
