use std::fmt;

/// One kind of violation. Each has an [`Action`](crate::Action) of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A callback starts, and no handle scope was opened since the turn began.
    MissingScope,
    /// A callback or turn ends with more handles in the enclosing scope than it found.
    OuterGrowth,
    /// A scope closes that is not the innermost; or twice.
    OutOfOrder,
    /// A turn or an isolate ends with scopes open.
    NeverClosed,
    /// A scope still open holds more handles than the user's budget. None is set by default.
    ScopeBudget,
    /// A scope, callback or turn of an isolate begins on a thread that has not entered it.
    WrongThread,
    /// A scope, callback or turn of an isolate begins while another one is entered on the thread.
    WrongIsolate,
}

impl Rule {
    /// All rules, in the order in which they are listed to the user.
    pub const ALL: [Self; 7] = [
        Self::MissingScope,
        Self::OuterGrowth,
        Self::OutOfOrder,
        Self::NeverClosed,
        Self::ScopeBudget,
        Self::WrongThread,
        Self::WrongIsolate,
    ];

    /// The name used in `HANDLEGUARD`, in messages and in log fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingScope => "missing-scope",
            Self::OuterGrowth => "outer-growth",
            Self::OutOfOrder => "out-of-order",
            Self::NeverClosed => "never-closed",
            Self::ScopeBudget => "scope-budget",
            Self::WrongThread => "wrong-thread",
            Self::WrongIsolate => "wrong-isolate",
        }
    }

    /// What violates it, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MissingScope => {
                "a callback starts, and no handle scope was opened since the turn began"
            }
            Self::OuterGrowth => {
                "a callback or turn ends with more handles in the enclosing scope than it found"
            }
            Self::OutOfOrder => "a scope closes that is not the innermost; or twice",
            Self::NeverClosed => "a turn or an isolate ends with scopes open",
            Self::ScopeBudget => "a scope still open holds more handles than scope-budget=<number>",
            Self::WrongThread => {
                "a scope, callback or turn of an isolate begins on a thread that has not entered it"
            }
            Self::WrongIsolate => {
                "a scope, callback or turn of an isolate begins while another one is entered"
            }
        }
    }

    /// The rule of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
