//! The scope stack of one thread and isolate: what is open, and who opened it.
//!
//! The stack is pure: it uses no global state, no clock and no I/O. Each operation takes the [`EngineCounts`] of that moment
//! and returns what it [found](crate::describe::finding::Finding). Each of the two counts may be unknown.
//!
//! ```text
//!   entries  scope    #1  `main`       opened before the loop: outlives every turn
//!            turn     #2  `uv_run`     <- barrier
//!            scope    #3  `on_timer`   depth 1
//!            callback #4               JavaScript runs
//!            ...
//! ```
//!
//! # The barrier
//!
//! A turn is a barrier: what was opened before it does not enclose what runs in it. A scope below the barrier stays open after
//! the turn, so handles that land there pile up. A callback needs a scope between the barrier and itself, and
//! [`depth`](ScopeStack::depth) counts only the scopes there. Turns nest, and the innermost is the barrier. A phase of garbage
//! collection is a barrier too: a collection interrupts anything, and the interrupted code does not enclose it.
//!
//! # The level
//!
//! The engine counts its open handle scopes; that count is the level. Code without guards raises it too, and so does the engine
//! itself. Where the level is known, it alone decides whether a scope was opened since the turn began, and the record only says
//! who opened what. Where it is unknown, the record decides.
//!
//! If the level falls below the level of the innermost entry, a scope was closed that the record has open. The record then
//! [follows the engine](ScopeStack::resync), and the turns that are open get no verdict, for the levels noted in them mean
//! nothing any more.
//!
//! # Whose handles are they?
//!
//! Handles that are created while no scope of the turn is open land in a scope that outlives the turn: the receiving scope.
//! Each of them is reported once:
//!
//! - A callback that is reported for a missing scope accounts for the handles created in it, for those created before it
//!   that no report covers, and for those created after it until the next scope opens. They are added to its report as
//!   [`LateHandles`].
//! - Handles that no report covers at the end of a callback or turn are a finding of their own, `outer-growth`.

use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::detect::filling::Filling;
use crate::detect::outermost::Greatest;
use crate::detect::stack::entry::{Callback, Entry, Kind, Turn};
use crate::detect::stack::outcome::LateHandles;
use crate::detect::stack::persistent::PersistentHandles;
use crate::detect::stack::pump::Pump;
use crate::engine::aftermath::Aftermath;
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

mod blocks;
mod budget;
mod callbacks;
mod ends;
mod entry;
mod gc;
mod growth;
mod handles;
pub(crate) mod holdings;
mod inferred_turns;
mod order;
pub(crate) mod outcome;
mod outermost;
mod persistent;
mod persistent_makers;
mod pump;
pub(crate) mod replay;
mod resync;
mod sealed;
mod storage;

/// The greatest number of [orphans](ScopeStack::orphans); the oldest is dropped first. One error leaves far fewer, and a
/// program with more errors is reported anyway.
const MAX_ORPHANS: usize = 64;

/// The scope stack of one thread and isolate. See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct ScopeStack {
    /// What is open, outermost first, so with ascending ids.
    entries: Vec<Entry>,
    turns: Vec<Turn>,
    callbacks: Vec<Callback>,
    /// Scopes that left the record before their own close, as by the close of a scope around them. That close, if it still
    /// comes, is no second violation.
    orphans: Vec<Entry>,
    /// The last scope that a turn left open; later handles land in it.
    leaked: Option<Entry>,
    /// By how many levels scopes that turns left open raise the engine's level.
    leaked_levels: u32,
    /// Scopes that hold handles, open since the innermost turn began; all that are open, if there is no turn.
    depth: u32,
    /// Callbacks open since the innermost turn began; all that are open, if there is no turn.
    callbacks_in_turn: u32,
    /// The number of the id issued last.
    pushed: u64,
    turns_begun: u64,
    /// Tests whose closures were turns; they are not among the turns that the host marks.
    #[cfg(feature = "testing")]
    tests_begun: u64,
    callbacks_begun: u64,
    strict: bool,
    /// The last pump of the engine, if the host marks no turn.
    pump: Option<Pump>,
    /// A scope closed once with nothing else open.
    was_empty: bool,
    /// Collections in progress, as the engine reports them.
    collections: u32,
    /// A guard has just reported that its scope was closed twice, and nothing began since: a hook that sees the same scope
    /// destroyed has nothing to add.
    closed_twice: bool,
    /// Collections of all objects so far.
    full_collections: u64,
    persistent: PersistentHandles,
    /// What the engine still does for a collection that has ended, as it answered last.
    aftermath: Aftermath,
    /// A disagreement with the engine was reported.
    desync_reported: bool,
    /// Another thread raced for the isolate, so the engine's level may be wrong for good.
    raced: bool,
    /// It did so since the last turn began, and may not have been done when that turn ended.
    doubts_next_turn: bool,
    /// Open scopes that have taken two blocks of handles or more, outermost first.
    fillings: Vec<Filling>,
    /// The openers of such scopes that have closed, and the most blocks that one of theirs had taken; the newest first.
    closed: Vec<(Place, usize)>,
    /// A scope was reported that a loop filled.
    growth_reported: bool,
    /// The outermost scope that was the greatest at its close.
    outermost: Greatest,
    /// The number of the id issued last before the record began.
    first: u64,
}

impl ScopeStack {
    /// Creates an empty stack.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Creates an empty stack whose ids come after `last`.
    pub(crate) fn starting_after(last: EntryId) -> Self {
        Self {
            pushed: last.0,
            first: last.0,
            ..Self::default()
        }
    }

    /// Returns the number of handle scopes open since the innermost turn began, or of all that are open if no turn is marked.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// Sets strict mode, which judges each callback as if the event loop had made it: a scope that encloses the callback only
    /// by way of its JavaScript caller does not count. It finds a callback that is clean only because it was called
    /// synchronously.
    pub(crate) fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// Whether nothing is open.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the entry `id` is open.
    pub(crate) fn is_open(&self, id: EntryId) -> bool {
        self.position(id).is_some()
    }

    /// Returns the id issued last. Every entry pushed later has a higher one.
    pub(crate) fn last_id(&self) -> EntryId {
        EntryId(self.pushed)
    }

    /// Returns the id of the innermost entry.
    #[inline]
    pub(crate) fn innermost(&self) -> Option<EntryId> {
        self.entries.last().map(|entry| entry.id)
    }

    /// Returns the number of turns begun so far.
    pub(crate) fn turns_begun(&self) -> u64 {
        self.turns_begun
    }

    /// Returns the number of callbacks begun so far.
    pub(crate) fn callbacks_begun(&self) -> u64 {
        self.callbacks_begun
    }

    /// Whether a callback is open: frames of the engine are then on the machine stack, and a panic must not unwind through
    /// them.
    #[inline]
    pub(crate) fn engine_is_below(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// Records a scope that was just opened; `counts` is from just inside it. Also returns the late handles of the last report,
    /// which end where the scope opens.
    #[inline]
    pub(crate) fn open_scope(
        &mut self,
        kind: ScopeKind,
        place: Place,
        counts: EngineCounts,
    ) -> (EntryId, Option<LateHandles>) {
        let outside = counts
            .level
            .map(|inside| inside.saturating_sub(u32::from(kind.holds_handles())));
        // In a scope that is not recorded, the count includes handles that end with that scope.
        let late = if self.wants_handles() && self.exposed(outside) {
            self.settle_late_handles(counts.handles)
        } else {
            None
        };
        let id = self.push(Kind::Scope(kind), place, counts.level);
        if let Some(entry) = self.entries.last_mut() {
            entry.handles = counts.handles;
        }
        self.depth += u32::from(kind.holds_handles());
        (id, late)
    }

    /// Begins a turn of the host's loop; `counts` is from just before.
    pub(crate) fn begin_turn(&mut self, place: Place, counts: EngineCounts) -> EntryId {
        let exposed = !self.turns.is_empty() && self.exposed(counts.level);
        self.turns_begun += 1;
        self.push_turn(place, counts, None, exposed)
    }

    /// As [`begin_turn`](Self::begin_turn), for the closure of a test. It is none of the host's turns, and they are counted without it.
    #[cfg(feature = "testing")]
    pub(crate) fn begin_test_run(&mut self, place: Place, counts: EngineCounts) -> EntryId {
        let exposed = !self.turns.is_empty() && self.exposed(counts.level);
        self.tests_begun += 1;
        let id = self.push_turn(place, counts, None, exposed);
        if let Some(turn) = self.turns.last_mut() {
            turn.number = self.tests_begun;
        }
        id
    }

    fn push_turn(
        &mut self,
        place: Place,
        counts: EngineCounts,
        gc: Option<GcPhase>,
        exposed: bool,
    ) -> EntryId {
        let barrier = self.entries.len();
        let id = self.push(Kind::Turn, place, counts.level);
        self.turns.push(Turn {
            id,
            number: self.turns_begun,
            place,
            level: counts.level,
            handles: counts.handles,
            barrier,
            outer_depth: self.depth,
            outer_callbacks: self.callbacks_in_turn,
            exposed,
            handles_at_call: 0,
            reported_handles: 0,
            last_report: None,
            siblings: 0,
            gc,
            doubtful: std::mem::take(&mut self.doubts_next_turn),
        });
        self.depth = 0;
        self.callbacks_in_turn = 0;
        id
    }

    /// Notes how many siblings of handle scopes the thread had entered when the innermost turn began.
    pub(crate) fn note_siblings(&mut self, begun: u64) {
        if let Some(turn) = self.turns.last_mut() {
            turn.siblings = begun;
        }
    }

    /// Returns the open turn `id`, with the number that was [noted](Self::note_siblings) in it.
    pub(crate) fn turn_with_siblings(&self, id: EntryId) -> Option<(TurnRef, u64)> {
        let turn = self.turns.iter().find(|turn| turn.id == id)?;
        Some((turn.as_ref(), turn.siblings))
    }

    /// The innermost turn, as a finding names it.
    fn current_turn(&self) -> Option<TurnRef> {
        self.turns.last().map(Turn::as_ref)
    }

    /// The open turn `id`, as a finding names it.
    fn turn_ref(&self, id: EntryId) -> Option<TurnRef> {
        self.turns
            .iter()
            .find(|turn| turn.id == id)
            .map(Turn::as_ref)
    }

    /// `entry` as a finding names it, if it is a scope.
    fn scope_ref(&self, entry: &Entry) -> Option<ScopeRef> {
        let Kind::Scope(kind) = entry.kind else {
            return None;
        };
        Some(ScopeRef {
            number: entry.id.0,
            kind,
            place: entry.place,
            turns_ago: self.turns_begun - entry.turns,
        })
    }

    #[inline]
    fn push(&mut self, kind: Kind, place: Place, level: Option<u32>) -> EntryId {
        self.pushed += 1;
        self.closed_twice = false;
        let id = EntryId(self.pushed);
        let lowest = self.entries.last().map_or(usize::MAX, |below| below.lowest);
        self.entries.push(Entry {
            id,
            kind,
            place,
            level,
            turns: self.turns_begun,
            leaked: false,
            handles: None,
            cursor: None,
            served: false,
            storage: 0,
            lowest,
        });
        id
    }

    /// The index of the entry `id`, if it is open.
    fn position(&self, id: EntryId) -> Option<usize> {
        self.entries
            .binary_search_by_key(&id, |entry| entry.id)
            .ok()
    }

    /// Removes one entry that is neither a turn nor the innermost.
    fn remove_from_between(&mut self, at: usize) {
        self.entries.remove(at);
        for turn in self.turns.iter_mut().filter(|turn| turn.barrier > at) {
            turn.barrier -= 1;
        }
    }

    /// Removes every entry from the index `at` upwards. Its scopes become orphans.
    fn truncate(&mut self, at: usize) {
        for entry in self.entries.get(at..).unwrap_or_default() {
            if matches!(entry.kind, Kind::Scope(_)) {
                self.orphans.push(*entry);
            }
        }
        self.orphans
            .drain(..self.orphans.len().saturating_sub(MAX_ORPHANS));
        let Some(first) = self.entries.get(at).map(|entry| entry.id) else {
            return;
        };
        self.entries.truncate(at);
        self.turns.retain(|turn| turn.id < first);
        self.callbacks.retain(|callback| callback.id < first);
        self.recount();
    }

    /// Counts the scopes and callbacks since the barrier anew. To be called after anything but the innermost entry was
    /// removed.
    fn recount(&mut self) {
        let from = self.turns.last().map_or(0, |turn| turn.barrier + 1);
        let since = self.entries.get(from..).unwrap_or_default();
        let count = |matches: fn(&Entry) -> bool| {
            u32::try_from(since.iter().filter(|entry| matches(entry)).count())
                .expect("[handleguard internal bug] more than 4 billion scopes on one stack")
        };
        self.depth = count(Entry::holds_handles);
        self.callbacks_in_turn = count(|entry| matches!(entry.kind, Kind::Callback));
    }
}
