//! What the scope stack remembers of the engine being pumped.

use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;

/// The last time that the host pumped the engine, and the turns inferred so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pump {
    /// The innermost scope then.
    pub(super) scope: EntryId,
    /// Callbacks begun until then.
    pub(super) callbacks_begun: u64,
    pub(super) counts: EngineCounts,
    /// Turns inferred in that scope.
    pub(super) turns: u64,
}
