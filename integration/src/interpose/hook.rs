/// What a hook serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Scopes,
    Calls,
    Turns,
    Isolates,
    Siblings,
    Persistent,
    Refused,
}

impl Use {
    pub(super) const ALL: [Self; 7] = [
        Self::Scopes,
        Self::Calls,
        Self::Turns,
        Self::Isolates,
        Self::Siblings,
        Self::Persistent,
        Self::Refused,
    ];

    /// What the checker does not see without the hook, for the start-up line.
    pub(super) fn blind(self) -> &'static str {
        match self {
            Self::Scopes => {
                "plain scopes have no name, and out-of-order and never-closed do not judge them"
            }
            Self::Calls => "missing-scope and outer-growth do not judge plain calls",
            Self::Turns => "no turn is recognised that the program does not mark",
            Self::Isolates => {
                "in-gc, never-closed and wrong-isolate know an isolate only by its guards"
            }
            Self::Siblings => "never-closed judges no context that is entered and not left",
            Self::Persistent => {
                "global-growth names nobody, and judges only turns that the program marks"
            }
            Self::Refused => "sealed can rescue no handle",
        }
    }
}

/// The hook of one function.
pub(super) struct Hook {
    pub(super) symbol: &'static str,
    pub(super) serves: Use,
    /// The address that a call of the symbol reaches in this program: the twin, if the linker wrapped the function.
    pub(super) wrapped: fn() -> *const (),
    /// The function that the linker puts in its place.
    pub(super) twin: *const (),
}

// SAFETY: `twin` is the address of a function, which every thread may call.
unsafe impl Sync for Hook {}
