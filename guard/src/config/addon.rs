//! The functions of add-ons, the call into one that is in progress on this thread, and the actions that apply in it.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::foreign_text::foreign_text;
use crate::place::{Place, intern};
use std::cell::Cell;
use std::fmt;
use std::path::Path;

/// One function of an add-on, named `libtimers.so!on_timer` in reports. Create one value for each function when the add-on is
/// loaded, and reuse it: its name is kept for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddonFunction {
    /// The file's name, without its folder.
    file: &'static str,
    place: &'static Place,
}

impl AddonFunction {
    /// Names the function `symbol` of the add-on that was loaded from `path`.
    pub fn new(path: &Path, symbol: &str) -> Self {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        // Each by itself: the name as a whole may be longer than a foreign text.
        let [file, symbol] = [&*file, symbol].map(foreign_text);
        let name = format!("{file}!{symbol}");
        let place = intern::harmless_line(&name, &foreign_text(&path.to_string_lossy()), 0);
        Self {
            // A part of the interned name, which lives as long as the process. Empty if the interner is full.
            file: place
                .name
                .and_then(|name| name.strip_suffix(symbol.as_str())?.strip_suffix('!'))
                .unwrap_or_default(),
            place,
        }
    }

    /// The add-on's file name without its folder, made harmless by [`foreign_text`](crate::foreign_text()). It is the name that
    /// [`Config::addon`](crate::Config::addon) takes.
    pub fn file(self) -> &'static str {
        self.file
    }

    /// The place of the function, for guards that a host opens on its behalf.
    pub fn place(self) -> Place {
        *self.place
    }
}

impl fmt::Display for AddonFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// The innermost call into an add-on in progress on this thread.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    /// The file name of the add-on.
    pub(crate) file: &'static str,
    /// The add-on's frames are on the stack. `false` once it has returned and the checker looks at what it left behind.
    pub(crate) running: bool,
}

thread_local! {
    pub(crate) static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

/// The action of `rule` on this thread now, and the add-on whose policy that action is, if it is one's. The policy of an add-on
/// does not cover advice.
pub(crate) fn action_of(config: &Config, rule: Rule) -> (Action, Option<&'static str>) {
    CURRENT
        .get()
        .filter(|_| !rule.is_advice())
        .and_then(|current| Some((config.action_of_addon(current.file)?, Some(current.file))))
        .unwrap_or((config.action_of(rule), None))
}

/// Whether the innermost foreign frames on this thread's stack are an add-on's.
pub(crate) fn is_running() -> bool {
    CURRENT.get().is_some_and(|current| current.running)
}
