//! Which add-on runs on this thread, and what the configuration says of it.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::place::Place;
use std::cell::Cell;
use std::fmt;
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
pub(crate) struct Current {
    /// The file name of the add-on.
    pub(crate) file: &'static str,
    /// Its frames are on the stack; else it has returned, and is being judged.
    pub(crate) running: bool,
}

thread_local! {
    pub(crate) static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
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
