use crate::engine::ids::IsolateId;

/// The isolate that a thread has entered last, according to the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    /// The engine does not say, or has no notion of entering.
    Unknown,
    /// The thread has entered no isolate.
    None,
    /// The thread has entered this isolate.
    Isolate(IsolateId),
    /// The engine has set an isolate current for work of its own, on a thread that has not entered that isolate. Another thread may
    /// be using it.
    ByEngine,
}

impl Entered {
    /// Whether the thread has entered `isolate` last, as far as the engine says.
    pub(crate) fn may_be(self, isolate: IsolateId) -> bool {
        match self {
            Self::Unknown => true,
            Self::None | Self::ByEngine => false,
            Self::Isolate(entered) => entered == isolate,
        }
    }
}
