//! The scope stack of one thread and isolate: what is open, and who opened it.
//!
//! Pure: no globals, no clock, no I/O. Each operation takes what was [`EngineCounts`] of the engine at that moment and returns
//! what it [found](Finding). The engine's state is the truth where it is known, and this record is the blame; where it
//! is unknown, the record is the verdict too.
//!
//! ```text
//!   frames  scope #1 `main`       opened before the loop: outlives every turn
//!           turn  #1 `uv_run`     <- barrier: nothing below it encloses a callback
//!           scope #2 `on_timer`   depth 1
//!           callback              JavaScript runs
//!           ...
//! ```
//!
//! # Whose handles are they?
//!
//! Handles made while nothing is open since the turn began land in a scope that outlives the turn. Each of them is
//! told of once: those from a callback that was reported for a missing scope, and those made on the way to it and
//! from it, are charged to that report ([`LateHandles`]); what is left at the end of a callback or a turn is
//! [`OuterGrowth`](Finding::OuterGrowth).

use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::opener::Opener;
use crate::describe::rules::missing_scope::MissingScope;
use crate::describe::rules::never_closed::NeverClosed;
use crate::describe::rules::out_of_order::{ClosedTwice, OutOfOrder, StillOpen};
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::rules::scope_budget::ScopeBudget;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::engine::counters::{Cursor, EngineCounts};
use crate::engine::ids::EntryId;
use crate::place::Place;
mod gc;
pub(crate) mod holdings;
mod inferred_turns;
mod leave;
mod pump;
pub(crate) mod replay;
mod resync;
mod seal;
mod storage;

/// A report that later handles are charged to: where its recorder keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportRef {
    /// A slot of the site table.
    Site(usize),
    /// An index into the violations that a test collects.
    Collected(usize),
}

/// Handles left in an outer scope by a cause that was reported before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateHandles {
    /// The report, as given to [`ScopeStack::charge`].
    pub report_ref: ReportRef,
    /// How many more handles it has left.
    pub handles: u64,
}

/// What an end brought to light.
#[derive(PartialEq, Eq, Default, Debug)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Handles to charge to an earlier report.
    pub late: Option<LateHandles>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Scope(ScopeKind),
    Callback,
    Turn,
    /// A scope that the engine has closed without our knowing: its own close, if it still comes, is silent.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: EntryId,
    kind: Kind,
    place: Place,
    /// The engine's level just inside.
    level: Option<u32>,
    /// Turns begun when it was pushed.
    turns: u64,
    /// A turn ended around it, and counts it among the levels that stay.
    leaked: bool,
    /// Handles alive when it opened, where there is a budget; `None` too once it was told of.
    handles: Option<u64>,
    /// Where the engine put the next handle then.
    cursor: Option<Cursor>,
    /// A callback ran with it as the innermost frame.
    served: bool,
    /// Where the engine's own scope lies, if a hook saw it constructed; else 0.
    storage: usize,
    /// The lowest of those from here down.
    lowest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Callback {
    id: EntryId,
    /// What is made now lands in a scope that outlives the turn.
    exposed: bool,
    handles: Option<u64>,
    report_ref: Option<ReportRef>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    id: EntryId,
    number: u64,
    place: Place,
    level: Option<u32>,
    handles: Option<u64>,
    /// Where its frame lies; what is below does not count.
    barrier: usize,
    /// The depth and open callbacks of the turn around it, to go back to.
    outer_depth: u32,
    outer_callbacks: u32,
    /// It began with nothing open since the turn around it: its growth is that turn's too.
    exposed: bool,
    /// Growth told of so far.
    reported_handles: u64,
    /// The last callback reported in it, as long as nothing else was opened since.
    last_report: Option<ReportRef>,
    /// The phase of garbage collection that it is, if it is no turn of the loop.
    gc: Option<GcPhase>,
    /// The engine's level fell below what was noted of it: nobody is accused until it ends.
    doubtful: bool,
}

/// Scopes that were popped by the close of a scope around them, so that their own close, if it still comes, is not told
/// as a second bug. Only as many as a program gone wrong in one place needs; the oldest are forgotten first.
const ORPHANS: usize = 64;

/// The scope stack of one thread and isolate. See the [module](self).
#[derive(Debug, Default)]
pub struct ScopeStack {
    entries: Vec<Entry>,
    turns: Vec<Turn>,
    callbacks: Vec<Callback>,
    orphans: Vec<Entry>,
    /// The last scope that a turn left open for good: later handles land in it.
    leaked: Option<Entry>,
    /// How much higher the engine's level stands for ever by scopes that turns left open.
    leaked_levels: u32,
    /// Scopes that hold handles, open since the innermost turn began (or at all, where there is none).
    depth: u32,
    /// Callbacks open since the innermost turn began.
    callbacks_in_turn: u32,
    pushed: u64,
    turns_begun: u64,
    callbacks_begun: u64,
    strict: bool,
    /// The last pump of the engine, if the host marks no turn.
    pump: Option<pump::Pump>,
    /// The last scope was closed, with nothing else open.
    was_empty: bool,
    /// Collections under way, by the engine's own word.
    collections: u32,
    /// A disagreement with the engine was told of.
    desync_reported: bool,
}

impl ScopeStack {
    /// An empty stack.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty stack whose ids come after `last`.
    pub(crate) fn starting_after(last: EntryId) -> Self {
        Self {
            pushed: last.0,
            ..Self::default()
        }
    }

    /// Handle scopes open since the innermost turn began; all that are open, where no turn is marked.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Judges each callback from now on as if it had come straight from the loop: what encloses it by way of a JavaScript
    /// caller does not count. A path that is clean only because it was taken synchronously is found so.
    pub fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether what `id` names is open.
    pub fn is_open(&self, id: EntryId) -> bool {
        self.position(id).is_some()
    }

    /// Turns begun so far.
    pub fn turns_begun(&self) -> u64 {
        self.turns_begun
    }

    /// Callbacks begun so far.
    pub fn callbacks_begun(&self) -> u64 {
        self.callbacks_begun
    }

    /// Whether a callback is open: the engine's own frames are then on the machine stack, and a panic must not cross
    /// them.
    #[inline]
    pub fn engine_is_below(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// Whether a handle made now would land in a scope that outlives the turn, or in none.
    ///
    /// This is the verdict of `missing-scope`. With the engine's level known on both sides it is that level's alone.
    /// Else it is ours, and a callback in progress counts as a scope, for engines open one for native code that
    /// JavaScript calls: silence rather than a guess.
    #[inline]
    pub fn exposed(&self, level: Option<u32>) -> bool {
        let ours = self.depth == 0 && self.callbacks_in_turn == 0;
        match self.turns.last() {
            Some(turn) if turn.doubtful => false,
            Some(turn) => match (level, turn.level) {
                (Some(now), Some(then)) => now <= then,
                _ => ours,
            },
            None => level.map_or(ours, |now| now == 0),
        }
    }

    /// Whether [`open_scope`](Self::open_scope) can use the count of handles, which it does not need otherwise.
    #[inline]
    pub fn wants_handles(&self) -> bool {
        // What is opened inside the callback is part of it, and its end counts all.
        self.depth == 0
            && self.callbacks_in_turn == 0
            && self
                .turns
                .last()
                .is_some_and(|turn| turn.last_report.is_some())
    }

    /// A scope was opened; `seen` is from just inside it.
    #[inline]
    pub fn open_scope(
        &mut self,
        kind: ScopeKind,
        place: Place,
        seen: EngineCounts,
    ) -> (EntryId, Option<LateHandles>) {
        let outside = seen
            .level
            .map(|inside| inside.saturating_sub(u32::from(kind.holds_handles())));
        // In a scope out of our sight, the count would be of handles that end with that scope.
        let late = if self.wants_handles() && self.exposed(outside) {
            self.settle_late_handles(seen.handles)
        } else {
            None
        };
        let id = self.push(Kind::Scope(kind), place, seen.level);
        if let Some(entry) = self.entries.last_mut() {
            entry.handles = seen.handles;
        }
        self.depth += u32::from(kind.holds_handles());
        (id, late)
    }

    /// Whether the innermost scope holds more than `budget`, by the engine's count; told once for each scope.
    ///
    /// Only where the handles that are made now land in it, and in no scope out of our sight; so the level must be known.
    pub fn over_budget(&mut self, budget: u64, seen: EngineCounts) -> Option<Finding> {
        let at = self
            .entries
            .iter()
            .rposition(|entry| entry.raises_level())?;
        let entry = self.entries[at];
        let held = seen.handles?.saturating_sub(entry.handles?);
        if held <= budget || entry.level != Some(seen.level?) {
            return None;
        }
        self.entries[at].handles = None;
        Some(Finding::ScopeBudget(ScopeBudget {
            scope: self.scope_ref(&entry)?,
            held,
            budget,
        }))
    }

    /// A scope closes.
    #[inline]
    pub fn close_scope(&mut self, id: EntryId) -> Option<Finding> {
        if let Some(&Entry {
            id: top,
            kind: Kind::Scope(kind),
            ..
        }) = self.entries.last()
            && top == id
        {
            self.entries.pop();
            self.depth -= u32::from(kind.holds_handles());
            return None;
        }
        self.close_out_of_order(id)
    }

    #[cold]
    fn close_out_of_order(&mut self, id: EntryId) -> Option<Finding> {
        let Some(at) = self.position(id) else {
            if let Some(at) = self.orphans.iter().position(|orphan| orphan.id == id) {
                let orphan = self.orphans.remove(at);
                self.lower(&orphan);
                return None;
            }
            return Some(Finding::ClosedTwice(ClosedTwice { number: Some(id.0) }));
        };
        if matches!(self.entries[at].kind, Kind::Lost) {
            self.remove(at);
            return None;
        }
        let closing = self.scope_ref(&self.entries[at])?;
        let doubtful = self.turns.last().is_some_and(|turn| turn.doubtful);
        let open = self.entries[at + 1..]
            .iter()
            .rev()
            .find_map(|entry| match entry.kind {
                Kind::Scope(_) => self.scope_ref(entry).map(StillOpen::Scope),
                Kind::Turn => self.turn_ref(entry.id).map(StillOpen::Turn),
                Kind::Callback | Kind::Lost => None,
            });
        let inside = self.entries[at + 1..]
            .iter()
            .filter(|entry| !matches!(entry.kind, Kind::Callback | Kind::Lost))
            .count();
        self.cut(at + 1);
        self.entries.pop();
        self.recount();
        // Else only callback guards forgotten inside: nothing that a scope could be in disorder with.
        open.filter(|_| !doubtful).map(|open| {
            Finding::OutOfOrder(OutOfOrder {
                closing,
                open,
                between: inside - 1,
            })
        })
    }

    /// The host calls into JavaScript; `seen` is from just before. The handles are needed only where the callback is
    /// [exposed](Self::exposed).
    #[inline]
    pub fn begin_callback(
        &mut self,
        place: Place,
        seen: EngineCounts,
    ) -> (EntryId, Option<Finding>) {
        let exposed = self.exposed(seen.level);
        // No callback may begin in any phase: told of by `in_gc`.
        let opener = if self.phase().is_some() {
            None
        } else if exposed {
            Some(self.receiving_scope(seen.level))
        } else if self.strict {
            self.hidden_by()
        } else {
            None
        };
        let finding = opener.map(|opener| {
            Finding::MissingScope(MissingScope {
                callback: place,
                opener,
                turn: self.current_turn(),
            })
        });
        if let Some(entry) = self.entries.last_mut() {
            entry.served = true;
        }
        let id = self.push(Kind::Callback, place, seen.level);
        self.callbacks_begun += 1;
        self.callbacks_in_turn += 1;
        self.callbacks.push(Callback {
            id,
            exposed: exposed && !self.turns.is_empty(),
            handles: if exposed { seen.handles } else { None },
            report_ref: None,
        });
        (id, finding)
    }

    /// The finding of [`begin_callback`](Self::begin_callback) was recorded as `charge`: handles that the callback
    /// leaves are to be added to it, beginning with those made on the way to it.
    pub fn set_report(&mut self, id: EntryId, report_ref: ReportRef) -> Option<LateHandles> {
        let callback = self
            .callbacks
            .last_mut()
            .filter(|callback| callback.id == id)?;
        callback.report_ref = Some(report_ref);
        let handles = callback.handles?;
        let turn = self.turns.last_mut()?;
        turn.last_report = Some(report_ref);
        let before = turn.unreported_handles(handles)?;
        turn.reported_handles += before;
        late(report_ref, before)
    }

    /// The call returned; `seen` is from just after. The handles are needed only where [`end_callback`'s
    /// callback](Self::callback_is_exposed) was exposed.
    pub fn end_callback(&mut self, id: EntryId, seen: EngineCounts) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(at) = self.callbacks.iter().rposition(|open| open.id == id) else {
            return outcome;
        };
        let callback = self.callbacks[at];
        let Some(frame_at) = self.position(id) else {
            return outcome;
        };
        let place = self.entries[frame_at].place;
        if frame_at + 1 == self.entries.len() {
            self.entries.pop();
            self.callbacks.pop();
            self.callbacks_in_turn -= 1;
        } else {
            self.end_around(at);
        }

        if callback.exposed {
            self.settle_callback(callback, place, seen, &mut outcome);
        }
        outcome
    }

    /// Tells or charges what an exposed callback has left, now that it is over.
    #[cold]
    fn settle_callback(
        &mut self,
        callback: Callback,
        place: Place,
        seen: EngineCounts,
        outcome: &mut Outcome,
    ) {
        let opener = self.receiving_scope(seen.level);
        let turn_ref = self.current_turn();
        if let (Some(before), Some(now), Some(turn), Some(turn_ref)) = (
            callback.handles,
            seen.handles,
            self.turns.last_mut(),
            turn_ref,
        ) {
            // What was told of inside it, by a callback or a turn there, is told.
            let unreported = turn.unreported_handles(now).unwrap_or(u64::MAX);
            let grown = now.saturating_sub(before).min(unreported);
            turn.reported_handles += grown;
            match callback.report_ref {
                Some(report_ref) => outcome.late = late(report_ref, grown),
                None if grown > 0 => outcome.findings.push(Finding::OuterGrowth(OuterGrowth {
                    ended: Ended::Callback(place),
                    opener,
                    turn: turn_ref,
                    grown,
                })),
                None => {}
            }
        }
    }

    /// Ends the callback at `at` of the open ones, and with it those inside, but no scope and no turn inside.
    #[cold]
    fn end_around(&mut self, at: usize) {
        for callback in self.callbacks.split_off(at) {
            let Some(frame_at) = self.position(callback.id) else {
                continue;
            };
            self.remove(frame_at);
            let mut above = self.turns.iter_mut().filter(|turn| turn.id > callback.id);
            if let Some(turn) = above.next() {
                turn.outer_callbacks -= 1;
            }
        }
        self.recount();
    }

    /// Takes one frame out from among the others.
    fn remove(&mut self, at: usize) {
        self.entries.remove(at);
        for turn in self.turns.iter_mut().filter(|turn| turn.barrier > at) {
            turn.barrier -= 1;
        }
    }

    /// Whether the innermost callback began exposed, so that its end needs the count of handles.
    pub fn callback_is_exposed(&self) -> bool {
        self.callbacks
            .last()
            .is_some_and(|callback| callback.exposed)
    }

    /// A turn of the host's loop begins; `seen` is from just before.
    pub fn begin_turn(&mut self, place: Place, seen: EngineCounts) -> EntryId {
        let exposed = !self.turns.is_empty() && self.exposed(seen.level);
        self.turns_begun += 1;
        self.push_turn(place, seen, None, exposed)
    }

    fn push_turn(
        &mut self,
        place: Place,
        seen: EngineCounts,
        gc: Option<GcPhase>,
        exposed: bool,
    ) -> EntryId {
        let barrier = self.entries.len();
        let id = self.push(Kind::Turn, place, seen.level);
        self.turns.push(Turn {
            id,
            number: self.turns_begun,
            place,
            level: seen.level,
            handles: seen.handles,
            barrier,
            outer_depth: self.depth,
            outer_callbacks: self.callbacks_in_turn,
            exposed,
            reported_handles: 0,
            last_report: None,
            gc,
            doubtful: false,
        });
        self.depth = 0;
        self.callbacks_in_turn = 0;
        id
    }

    /// A turn ends; `seen` is from just after.
    pub fn end_turn(&mut self, id: EntryId, seen: EngineCounts) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(at) = self.turns.iter().rposition(|turn| turn.id == id) else {
            return outcome;
        };
        let turn = self.turns[at];
        let turn_ref = turn.as_ref();
        let ended = Ended::Turn;
        let leaked = match (seen.level, turn.level) {
            (Some(now), Some(then)) => Some(now.saturating_sub(then)),
            _ => None,
        };
        if !turn.doubtful {
            outcome.findings = self.never_closed(turn.barrier + 1, seen.level, leaked, |scope| {
                Finding::NeverClosed(NeverClosed {
                    scope,
                    ended,
                    turn: Some(turn_ref),
                })
            });
        }
        // Where more was closed than was opened, as by a scope closed twice, the engine's handles are no longer those of then.
        let comparable = !turn.doubtful && seen.level >= turn.level;
        let grown = match (turn.handles, seen.handles) {
            (Some(then), Some(now)) if comparable => now.saturating_sub(then),
            _ => 0,
        };
        let unreported_handles = grown.saturating_sub(turn.reported_handles);
        // A scope that is still open holds handles of its own, which are no further bug.
        if unreported_handles > 0 && leaked.unwrap_or(0) == 0 && outcome.findings.is_empty() {
            match turn.last_report {
                Some(report_ref) => outcome.late = late(report_ref, unreported_handles),
                None => outcome.findings.push(Finding::OuterGrowth(OuterGrowth {
                    ended,
                    opener: self.receiving_scope(turn.level),
                    turn: turn_ref,
                    grown: unreported_handles,
                })),
            }
        }
        if let Some(levels @ 1..) = leaked {
            self.keep_leaked(turn.barrier, levels, seen.level);
        }
        if self.entries.len() == turn.barrier + 1 {
            self.entries.pop();
            self.turns.pop();
            self.depth = turn.outer_depth;
            self.callbacks_in_turn = turn.outer_callbacks;
        } else {
            self.cut(turn.barrier);
        }
        if turn.exposed
            && let Some(outer) = self.turns.last_mut()
        {
            outer.reported_handles += grown;
        }
        outcome
    }

    /// The isolate ends, and its stack with it; `seen` is from just before.
    pub fn end_isolate(&mut self, seen: EngineCounts) -> Vec<Finding> {
        let leaked = seen.level.map(|now| now.saturating_sub(self.leaked_levels));
        let findings = self.never_closed(0, seen.level, leaked, |scope| {
            Finding::NeverClosed(NeverClosed {
                scope,
                ended: Ended::Isolate,
                turn: None,
            })
        });
        self.cut(0);
        findings
    }

    /// Scopes from `from` upwards that are still open by the engine's level, or by our record where that is unknown.
    /// `leaked` is how many the engine says there are.
    fn never_closed(
        &self,
        from: usize,
        level: Option<u32>,
        leaked: Option<u32>,
        finding: impl Fn(Opener) -> Finding,
    ) -> Vec<Finding> {
        if leaked == Some(0) {
            return Vec::new();
        }
        if leaked.is_none() && self.entries.len() == from {
            return Vec::new();
        }
        let mut found: Vec<Finding> = self
            .entries
            .get(from..)
            .unwrap_or_default()
            .iter()
            .filter(|entry| match (entry.level, level) {
                (Some(inside), Some(now)) => inside <= now,
                _ => true,
            })
            .filter_map(|entry| self.scope_ref(entry))
            // The engine opened that one, and closes it.
            .filter(|scope| scope.kind != ScopeKind::CallbackScope)
            .map(|scope| finding(Opener::Known(scope)))
            .collect();
        // An orphan was told of when the scope around it closed.
        let since = from.checked_sub(1).map(|below| self.entries[below].id);
        let flushed_up_to = self
            .orphans
            .iter()
            .any(|orphan| orphan.raises_level() && since.is_none_or(|since| orphan.id > since));
        if found.is_empty() && leaked.is_some() && !flushed_up_to {
            found.push(finding(Opener::Unrecorded));
        }
        found
    }

    /// The JavaScript caller whose scope alone encloses a callback that starts now.
    fn hidden_by(&self) -> Option<Opener> {
        for entry in self.entries.iter().rev() {
            match entry.kind {
                Kind::Scope(ScopeKind::HandleScope | ScopeKind::EscapableHandleScope)
                | Kind::Turn => return None,
                Kind::Scope(_) | Kind::Lost => {}
                Kind::Callback => return Some(Opener::Caller(entry.place)),
            }
        }
        None
    }

    /// The scope that handles land in while nothing is open since the turn began, at the engine's `level`.
    fn receiving_scope(&self, level: Option<u32>) -> Opener {
        let below = self
            .turns
            .last()
            .map_or(self.entries.len(), |turn| turn.barrier);
        let innermost = self.entries[..below].iter().rev().find_map(|entry| {
            matches!(entry.kind, Kind::Scope(kind) if kind.holds_handles())
                .then(|| self.scope_ref(entry).map(|scope| (entry.level, scope)))
                .flatten()
        });
        if level.is_some()
            && let Some(leaked) = self.leaked.filter(|leaked| leaked.level == level)
            && let Some(scope) = self.scope_ref(&leaked)
        {
            return Opener::Known(scope);
        }
        match (level, innermost) {
            (Some(0), _) => Opener::Nothing,
            (Some(now), Some((Some(then), _))) if then < now => Opener::Unrecorded,
            (_, Some((_, scope))) => Opener::Known(scope),
            (Some(_), None) => Opener::Unrecorded,
            (None, None) => Opener::Nothing,
        }
    }

    #[cold]
    fn settle_late_handles(&mut self, handles: Option<u64>) -> Option<LateHandles> {
        let turn = self.turns.last_mut()?;
        let report_ref = turn.last_report.take()?;
        let after = turn.unreported_handles(handles?)?;
        turn.reported_handles += after;
        late(report_ref, after)
    }

    fn current_turn(&self) -> Option<TurnRef> {
        self.turns.last().map(Turn::as_ref)
    }

    fn turn_ref(&self, id: EntryId) -> Option<TurnRef> {
        self.turns
            .iter()
            .find(|turn| turn.id == id)
            .map(Turn::as_ref)
    }

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

    fn position(&self, id: EntryId) -> Option<usize> {
        self.entries
            .binary_search_by_key(&id, |entry| entry.id)
            .ok()
    }

    /// Drops every frame from `at` upwards, and all that belongs to them.
    fn cut(&mut self, at: usize) {
        for entry in self.entries.get(at..).unwrap_or_default() {
            if matches!(entry.kind, Kind::Scope(_)) {
                self.orphans.push(*entry);
            }
        }
        self.orphans
            .drain(..self.orphans.len().saturating_sub(ORPHANS));
        let Some(first) = self.entries.get(at).map(|entry| entry.id) else {
            return;
        };
        self.entries.truncate(at);
        self.turns.retain(|turn| turn.id < first);
        self.callbacks.retain(|callback| callback.id < first);
        self.recount();
    }

    /// Counts the frames since the barrier anew, where more than the innermost was taken away.
    fn recount(&mut self) {
        let from = self.turns.last().map_or(0, |turn| turn.barrier + 1);
        let since = self.entries.get(from..).unwrap_or_default();
        let count = |what: fn(&Kind) -> bool| {
            u32::try_from(since.iter().filter(|entry| what(&entry.kind)).count())
                .expect("[handleguard internal bug] more than 4 billion scopes on one stack")
        };
        self.depth = count(|kind| matches!(kind, Kind::Scope(kind) if kind.holds_handles()));
        self.callbacks_in_turn = count(|kind| matches!(kind, Kind::Callback));
    }
}

impl Entry {
    #[inline]
    fn raises_level(&self) -> bool {
        matches!(self.kind, Kind::Scope(kind) if kind.holds_handles())
    }
}

impl Turn {
    fn as_ref(&self) -> TurnRef {
        TurnRef {
            number: self.number,
            place: self.place,
            gc: self.gc,
        }
    }

    /// Handles grown since the turn began that nobody was told of, with `handles` alive now.
    fn unreported_handles(&self, handles: u64) -> Option<u64> {
        let grown = handles.saturating_sub(self.handles?);
        Some(grown.saturating_sub(self.reported_handles))
    }
}

fn late(report_ref: ReportRef, handles: u64) -> Option<LateHandles> {
    (handles > 0).then_some(LateHandles {
        report_ref,
        handles,
    })
}
