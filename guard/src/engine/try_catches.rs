/// Where a `TryCatch` stands among those that the engine has open in its isolate. Addresses; 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TryCatches {
    /// The innermost one.
    pub innermost: usize,
    /// The one that was innermost when this one was constructed, and is again once this one is destroyed.
    pub next: usize,
}
