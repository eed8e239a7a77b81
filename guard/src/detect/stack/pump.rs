//! A pump of the engine: the host lets the engine do its own pending work.

use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;

/// One pump of the engine, and the turns inferred until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pump {
    /// The innermost scope at the pump.
    pub(super) scope: EntryId,
    /// Callbacks begun before the pump.
    pub(super) callbacks_begun: u64,
    /// The engine's counts at the pump.
    pub(super) counts: EngineCounts,
    /// Turns inferred in that scope so far.
    pub(super) turns: u64,
    /// The turn that may have begun here is watched, to see who makes its handles.
    pub(super) watched: bool,
}
