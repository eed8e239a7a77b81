use std::fmt;

/// What is done when a rule is violated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Nothing: the rule is not looked at.
    Off,
    /// Count it in the report.
    Count,
    /// Count it, and emit a `tracing` event for each new site and at each tick.
    Log,
    /// Count it, and panic with the whole message; abort instead where a panic would have to unwind through the
    /// engine's C++ frames.
    Panic,
    /// Write the whole message to stderr and end the process by SIGABRT.
    Abort,
}

impl Action {
    /// All actions, from the mildest to the hardest.
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

    /// The action of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The action where nothing was said: `panic` in a test suite (feature `testing`), `abort` in a debug build, `log`
    /// in production.
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
