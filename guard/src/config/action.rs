use std::fmt;

/// What the checker does when a rule is violated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Nothing. The rule is not checked.
    Off,
    /// Count the violation in the report.
    Count,
    /// Count the violation. Emit a `tracing` event for each new site, and another at each tick for each site with new violations.
    Log,
    /// Count the violation, and panic with the whole message. Where the panic would unwind through the engine's C++ frames, act as
    /// [`Abort`](Self::Abort).
    Panic,
    /// Write the whole message to stderr, and end the process by SIGABRT.
    Abort,
}

impl Action {
    /// All actions, from the mildest to the most severe.
    pub const ALL: [Self; 5] = [Self::Off, Self::Count, Self::Log, Self::Panic, Self::Abort];

    /// The name used in `HANDLEGUARD` and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Count => "count",
            Self::Log => "log",
            Self::Panic => "panic",
            Self::Abort => "abort",
        }
    }

    /// The action with this [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The default action of this build: `panic` with the feature `testing`, else `abort` with `debug_assertions`, else `log`.
    pub const fn default_for_build() -> Self {
        if cfg!(feature = "testing") {
            Self::Panic
        } else if cfg!(debug_assertions) {
            Self::Abort
        } else {
            Self::Log
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
