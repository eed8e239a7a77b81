//! One entry of the scope stack, and what the stack keeps besides of an entry that is a callback or a turn.

use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::ScopeKind;
use crate::describe::turn::TurnRef;
use crate::detect::stack::outcome::ReportRef;
use crate::engine::counters::{Cursor, EngineCounts};
use crate::engine::ids::EntryId;
use crate::place::Place;

/// The kind of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Scope(ScopeKind),
    Callback,
    Turn,
    /// A scope that the engine closed while the record still had it open. Its own close, if it still comes, is silent.
    Lost,
}

/// A scope, callback or turn that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// The engine's level just inside.
    pub(super) level: Option<u32>,
    /// How many turns had begun when the entry was pushed.
    pub(super) turns: u64,
    /// A turn ended around this scope, and every level noted since includes it.
    pub(super) leaked: bool,
    /// Handles alive when the scope opened, if they were counted. `None` too once the scope was reported for its budget.
    pub(super) handles: Option<u64>,
    /// Where the engine put the next handle when the entry was pushed.
    pub(super) cursor: Option<Cursor>,
    /// A callback ran with this entry as the innermost.
    pub(super) served: bool,
    /// The address of the engine's scope object, if a hook recorded the scope; else 0.
    pub(super) storage: usize,
    /// The lowest such address of this entry and those below it.
    pub(super) lowest: usize,
}

impl Entry {
    /// Whether the entry is a scope that holds handles.
    #[inline]
    pub(super) fn holds_handles(&self) -> bool {
        matches!(self.kind, Kind::Scope(kind) if kind.holds_handles())
    }
}

/// What the stack keeps of an open callback, besides its entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callback {
    pub(super) id: EntryId,
    /// The callback began with no scope of its turn open, so its handles land in the receiving scope.
    pub(super) exposed: bool,
    /// Handles alive when it began, if it is exposed.
    pub(super) handles: Option<u64>,
    /// The report that its handles are added to.
    pub(super) report_ref: Option<ReportRef>,
}

/// What the stack keeps of an open turn, or of a phase of garbage collection, besides its entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) id: EntryId,
    pub(super) number: u64,
    pub(super) place: Place,
    /// The engine's level when the turn began.
    pub(super) level: Option<u32>,
    /// Handles alive when the turn began.
    pub(super) handles: Option<u64>,
    /// The index of its entry. Entries below it enclose nothing that runs in the turn.
    pub(super) barrier: usize,
    /// [`ScopeStack::depth`](super::ScopeStack::depth) of the turn around it, which continues when this one ends.
    pub(super) outer_depth: u32,
    /// The count of open callbacks of the turn around it.
    pub(super) outer_callbacks: u32,
    /// The turn began with no scope of the turn around it open, so its growth is growth of that turn too.
    pub(super) exposed: bool,
    /// Handles alive when the engine was last called directly under it, if that was watched.
    pub(super) handles_at_call: u64,
    /// How much of its growth was reported so far.
    pub(super) reported_handles: u64,
    /// The report of the last callback, until a scope opens directly in the turn.
    pub(super) last_report: Option<ReportRef>,
    /// How many contexts and other siblings of handle scopes the thread had entered before.
    pub(super) siblings: u64,
    /// The phase of garbage collection, if it is not a turn of the host's loop.
    pub(super) gc: Option<GcPhase>,
    /// The engine's level fell below the record during the turn, so the turn gets no verdict.
    pub(super) doubtful: bool,
}

impl Turn {
    pub(super) fn as_ref(&self) -> TurnRef {
        TurnRef {
            number: self.number,
            place: self.place,
            gc: self.gc,
        }
    }

    /// By how much the number of handles has grown since the turn began. 0 if that is unknown.
    pub(super) fn grown(&self, counts: EngineCounts) -> u64 {
        // If more scopes were closed than opened, as by a scope closed twice, the two counts are of different scopes.
        let comparable = !self.doubtful && counts.level >= self.level;
        match (self.handles, counts.handles) {
            (Some(before), Some(now)) if comparable => now.saturating_sub(before),
            _ => 0,
        }
    }

    /// The growth since the turn began that no report covers, with `handles` alive now.
    pub(super) fn unreported_handles(&self, handles: u64) -> Option<u64> {
        let grown = handles.saturating_sub(self.handles?);
        Some(grown.saturating_sub(self.reported_handles))
    }
}
