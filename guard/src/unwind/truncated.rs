use std::fmt;

/// How many frames of one stack are kept. A report says so where a stack is deeper.
pub const MAX_FRAMES: usize = 128;

/// Why a stack was not captured to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truncated {
    /// The stack has more than [`MAX_FRAMES`] frames.
    TooDeep,
    /// The next frame does not lie on the thread's stack.
    LeftTheStack,
    /// The code has no unwind table, and its frame pointer leads nowhere.
    NoWay,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "cut after {MAX_FRAMES} frames"),
            Self::LeftTheStack => f.write_str("cut: the next frame is not on this thread's stack"),
            Self::NoWay => {
                f.write_str("cut: neither an unwind table nor a frame pointer leads further")
            }
        }
    }
}
