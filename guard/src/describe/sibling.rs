//! What a host enters beside its handle scopes, as a finding names it.

use std::fmt;

/// What a host enters beside its handle scopes, and must leave as it closes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Sibling {
    /// A context, by a `ContextScope`.
    Context,
    /// A scope in which the engine refuses to run JavaScript.
    DisallowJavascriptExecutionScope,
    /// A scope in which it runs JavaScript again.
    AllowJavascriptExecutionScope,
}

impl Sibling {
    /// What was done to it, and is the label of the line that names the place.
    pub(crate) const fn begun(self) -> &'static str {
        match self {
            Self::Context => "entered",
            _ => "constructed",
        }
    }

    /// What was to be done at its end.
    pub(crate) const fn ended(self) -> &'static str {
        match self {
            Self::Context => "left",
            _ => "destroyed",
        }
    }
}

impl fmt::Display for Sibling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Context => "context",
            Self::DisallowJavascriptExecutionScope => "DisallowJavascriptExecutionScope",
            Self::AllowJavascriptExecutionScope => "AllowJavascriptExecutionScope",
        })
    }
}
