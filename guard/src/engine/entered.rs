use crate::engine::ids::IsolateId;
/// The isolate that is entered on a thread, as the engine tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    /// The engine does not tell, or knows no entering.
    Unknown,
    /// None.
    None,
    /// That one.
    Isolate(IsolateId),
}
