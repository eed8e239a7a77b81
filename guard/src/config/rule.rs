use std::fmt;

/// One kind of violation. Each has an [`Action`](crate::Action) of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A callback starts, and no handle scope was opened since the turn began.
    MissingScope,
    /// A callback or turn ends with more handles in the enclosing scope than it found.
    OuterGrowth,
    /// A scope still open holds more handles than the user's budget. None is set by default.
    ScopeBudget,
    /// A handle is made directly under a sealed turn, or with no scope at all. Turns are sealed where this rule was given an
    /// action of its own.
    Sealed,
    /// A scope closes that is not the innermost; or twice.
    OutOfOrder,
    /// A turn ends, or an isolate ends or is left, with scopes open.
    NeverClosed,
    /// Something of an isolate begins on a thread that has not entered it, or leaves it there.
    WrongThread,
    /// Something of an isolate begins while another one is entered on the thread, or the isolate is left then.
    WrongIsolate,
    /// A callback or scope starts inside a GC callback, the first pass of a weak callback, or teardown.
    InGc,
    /// Advice, `off` unless asked for: a place whose scopes never held a handle.
    RedundantScope,
    /// The record and the engine's own level disagree: a limit of the checker, of which nobody is accused.
    Desync,
}

impl Rule {
    /// All rules, in the order in which they are listed to the user.
    pub const ALL: [Self; 11] = [
        Self::MissingScope,
        Self::OuterGrowth,
        Self::ScopeBudget,
        Self::Sealed,
        Self::OutOfOrder,
        Self::NeverClosed,
        Self::WrongThread,
        Self::WrongIsolate,
        Self::InGc,
        Self::RedundantScope,
        Self::Desync,
    ];

    /// The name used in `HANDLEGUARD`, in messages and in log fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingScope => "missing-scope",
            Self::OuterGrowth => "outer-growth",
            Self::ScopeBudget => "scope-budget",
            Self::Sealed => "sealed",
            Self::OutOfOrder => "out-of-order",
            Self::NeverClosed => "never-closed",
            Self::WrongThread => "wrong-thread",
            Self::WrongIsolate => "wrong-isolate",
            Self::InGc => "in-gc",
            Self::RedundantScope => "redundant-scope",
            Self::Desync => "desync",
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
            Self::ScopeBudget => "a scope still open holds more handles than scope-budget=<number>",
            Self::Sealed => {
                "a handle is made with no scope at all, or under a turn that this directive seals"
            }
            Self::OutOfOrder => "a scope closes that is not the innermost; or twice",
            Self::NeverClosed => "a turn ends, or an isolate ends or is left, with scopes open",
            Self::WrongThread => "an isolate is used or left on a thread that has not entered it",
            Self::WrongIsolate => "an isolate is used or left while another one is entered",
            Self::InGc => {
                "a callback or scope starts in a GC callback, a first-pass weak callback or teardown"
            }
            Self::RedundantScope => "advice: a place whose scopes never held a handle",
            Self::Desync => "the record and the engine's level disagree: our own limit",
        }
    }

    /// Whether it is `off` until it is asked for by name: advice, and no bug.
    pub const fn is_advice(self) -> bool {
        matches!(self, Self::RedundantScope)
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
