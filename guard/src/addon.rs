//! Add-ons: native code of others, which a host loads and calls, and which knows nothing of the checker.
//!
//! Each call into one is a turn of its own, named by the add-on's file and symbol. So whatever the add-on leaves behind is
//! its own: handles, scopes left open, callbacks without a scope. And what is done about it can be its own too, by
//! [`Config::addon`](crate::Config::addon): the misuse of a third party need not end the host.

use crate::guard::{TurnGuard, turn_at};
use crate::{Action, Config, Engine, Place, Rule};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

/// One function of an add-on: what reports call `libtimers.so!on_timer`. Make it once for each, when the add-on is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddonFunction {
    /// The file's name, without its folder.
    file: &'static str,
    place: &'static Place,
}

impl AddonFunction {
    /// The function `symbol` of the add-on that was loaded from `path`.
    pub fn new(path: &Path, symbol: &str) -> Self {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{file}!{symbol}");
        let place = Place::interned(&name, &path.to_string_lossy(), 0);
        Self {
            // Of the place, which lives for ever; empty where it is one too many to be kept.
            file: place
                .name
                .and_then(|name| name.strip_suffix(symbol)?.strip_suffix('!'))
                .unwrap_or_default(),
            place,
        }
    }

    /// The add-on's file name, which [`Config::addon`](crate::Config::addon) knows it by.
    pub fn file(self) -> &'static str {
        self.file
    }

    /// Its place, for what a host does in its name.
    pub fn place(self) -> Place {
        *self.place
    }
}

impl fmt::Display for AddonFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// The innermost call into an add-on that is under way on this thread.
#[derive(Clone, Copy)]
struct Current {
    /// The file name of the add-on.
    file: &'static str,
    /// Its frames are on the stack; else it has returned, and is being judged.
    running: bool,
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

/// The action of `rule` here and now, and the file of the add-on whose policy it is, if it is one's. Advice is never an
/// add-on's.
pub(crate) fn action_of(config: &Config, rule: Rule) -> (Action, Option<&'static str>) {
    CURRENT
        .get()
        .filter(|_| !rule.is_advice())
        .and_then(|current| Some((config.addon_action_of(current.file)?, Some(current.file))))
        .unwrap_or((config.action_of(rule), None))
}

/// Whether an add-on's frames are on this thread's stack, and the innermost that are not the host's.
pub(crate) fn is_running() -> bool {
    CURRENT.get().is_some_and(|current| current.running)
}

/// Marks a call into an add-on, as long as it lives. Made by [`addon`].
#[must_use = "if unused the call is over immediately"]
#[derive(Debug)]
pub struct AddonGuard<E: Engine> {
    _turn: TurnGuard<E>,
    // After the turn, which is judged by the add-on's policy: fields are dropped in this order.
    _outer: Outer,
}

/// Goes back to the call that was under way before.
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
/// # fn call(engine: impl handleguard::Engine) {
/// let on_timer = handleguard::AddonFunction::new("addons/libtimers.so".as_ref(), "on_timer");
/// {
///     let _addon = handleguard::addon(engine, on_timer);
///     // ... call it
/// }
/// # }
/// ```
///
/// # Panics and aborts
///
/// When the guard is dropped, by the add-on's action for `outer-growth` and `never-closed`.
#[inline]
pub fn addon<E: Engine>(engine: E, function: AddonFunction) -> AddonGuard<E> {
    // The turn begins in the host: a wrong thread or isolate is its own mistake.
    let turn = turn_at(engine, function.place());
    let outer = CURRENT.replace(Some(Current {
        file: function.file,
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
    use crate::IsolateId;
    use crate::engine::fake::Fake;

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
