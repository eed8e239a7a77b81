//! The kinds of programs that can be traced.

/// A kind of program. Each has functions and layouts of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A node with V8 in its own binary.
    Node,
    /// A program with the v8 crate.
    V8Crate,
}

impl Kind {
    /// What versions of it are versions of, for a line of text.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::V8Crate => "the v8 crate",
        }
    }
}
