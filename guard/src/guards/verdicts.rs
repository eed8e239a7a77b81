//! Verdicts that need more than one scope stack: the budget and the high-water mark of a scope, and whether the isolate is
//! entered.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::not_left::NotLeft;
use crate::describe::rules::redundant_scope::RedundantScope;
use crate::describe::turn::TurnRef;
use crate::detect::isolate;
use crate::detect::stack::ScopeStack;
use crate::detect::stack::outcome::ReportRef;
use crate::engine::counters::{Cursor, EngineCounts};
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::pipeline::{Session, violated};
use crate::place::Place;
use crate::record::checker::Checker;
use crate::symbolize::names;
use crate::thread::pending_log::MIN_HIGH_WATER;
use crate::thread::siblings::Left;

/// Judges `scope-budget` of the innermost recorded scope, if a budget is set. Returns whether one is.
///
/// `inside`: how many scopes the engine has opened that the record does not have yet.
#[inline]
pub(crate) fn budget<E: Engine>(session: Session<'_>, engine: E, inside: u32) -> bool {
    let Some(budget) = session.checker.config.scope_budget_of() else {
        return false;
    };
    judge_budget(session, engine, budget, inside);
    true
}

#[cold]
#[inline(never)]
fn judge_budget<E: Engine>(session: Session<'_>, engine: E, budget: u64, inside: u32) {
    let found = session.thread.recorded(engine, |live, stack| {
        let counts = EngineCounts {
            level: live.level().map(|level| level.saturating_sub(inside)),
            handles: live.handles(),
        };
        let finding = stack.over_budget(budget, counts)?;
        Some((finding, stack.engine_is_below()))
    });
    if let Some(Some((finding, below))) = found {
        violated(session, engine, finding, below, || None);
    }
}

/// Records how many handles the scope `id` held, which is about to close.
#[inline]
pub(crate) fn record_scope_stats<L: LiveIsolate>(
    checker: &Checker,
    live: L,
    stack: &ScopeStack,
    id: EntryId,
) {
    let (Some(opened), Some(cursor)) = (stack.cursor_of(id), live.cursor()) else {
        return;
    };
    let advised = checker.config.action_of(Rule::RedundantScope) != Action::Off;
    if advised
        || cursor
            .since(opened)
            .is_none_or(|held| held >= MIN_HIGH_WATER)
    {
        record_stats_slow(checker, live, stack, cursor, advised);
    }
}

#[cold]
fn record_stats_slow<L: LiveIsolate>(
    checker: &Checker,
    live: L,
    stack: &ScopeStack,
    cursor: Cursor,
    advised: bool,
) {
    let Some(mut stats) = stack.innermost_stats(Some(cursor), live.handles()) else {
        return;
    };
    let is_high = stats.held.is_some_and(|held| held >= MIN_HIGH_WATER);
    if cfg!(debug_assertions) && (is_high || advised) {
        if !advised && checker.high_water.is_known(&stats) {
            return;
        }
        // Nothing is inlined in a debug build, so the address that a hook recorded lies in the crate that binds the engine. The
        // user's function, which called that crate, is on the machine stack only as long as the scope is open.
        stats.place = names::kept(stats.place);
    }
    if is_high {
        checker.high_water.raise(&stats);
    }
    if advised {
        checker.high_water.count_use(&stats);
    }
}

/// Records how many handles the outermost scope holds, if it is the one that is about to close.
#[inline]
pub(crate) fn record_outermost<L: LiveIsolate>(live: L, stack: &mut ScopeStack) {
    if stack.closes_outermost()
        && let Some(held) = live.handles()
    {
        stack.note_outermost(held, names::kept);
    }
}

/// Records how many handles the scope around a turn holds at the turn's end: that scope may never close.
#[inline]
pub(crate) fn record_stats_around<L: LiveIsolate>(
    checker: &Checker,
    live: L,
    stack: &ScopeStack,
    counts: EngineCounts,
) {
    if let Some(stats) = stack.stats_around_turn(live.cursor(), counts.handles)
        && stats.held.is_some_and(|held| held >= MIN_HIGH_WATER)
    {
        checker.high_water.raise(&stats);
    }
}

/// Reports the places whose scopes never held a handle, when an isolate ends.
pub(crate) fn advise<E: Engine>(session: Session<'_>, engine: E, engine_is_below: bool) {
    let checker = session.checker;
    if checker.config.action_of(Rule::RedundantScope) == Action::Off {
        return;
    }
    for row in checker.high_water.newly_redundant() {
        let finding = Finding::RedundantScope(RedundantScope {
            kind: row.kind,
            place: row.place,
            uses: row.uses,
        });
        violated(session, engine, finding, engine_is_below, || None);
    }
}

/// Looks at the number of persistent handles, and judges `global-growth` if a tick is due.
#[cold]
pub(crate) fn persistent_handles<E: Engine>(session: Session<'_>, engine: E) {
    if !engine.entered().may_be(engine.isolate()) {
        return;
    }
    let (now, tick) = session.checker.tick_clock();
    let found = session.thread.recorded(engine, |live, stack| {
        let count = || live.persistent_handles();
        let finding =
            stack.look_at_persistent_handles(now, tick, live.hooks_persistent_handles(), count)?;
        Some((finding, stack.engine_is_below()))
    });
    if let Some(Some((finding, below))) = found {
        violated(session, engine, finding, below, || None);
    }
}

/// Judges `wrong-thread` and `wrong-isolate` before what begins is recorded. Returns the report that later handles are added
/// to.
#[inline]
pub(crate) fn entered<E: Engine>(
    session: Session<'_>,
    engine: E,
    beginning: Beginning,
    place: Place,
) -> Option<ReportRef> {
    let finding = isolate::judge(engine.isolate(), engine.entered(), beginning, place)?;
    let below = session
        .thread
        .existing_record(engine.isolate(), |stack| stack.engine_is_below());
    violated(session, engine, finding, below.unwrap_or(false), || None)
}

/// Adds to the findings of an end what the thread entered beside handle scopes, after the first `since`, and did not leave. A handle
/// scope that was left open with it is report enough. `turn`: the turn that ended; `None` for the isolate.
pub(crate) fn siblings<E: Engine>(
    session: Session<'_>,
    engine: E,
    (turn, since): (Option<TurnRef>, u64),
    findings: &mut Vec<Finding>,
) {
    let left = session.thread.siblings.take_since(engine.isolate(), since);
    let is_reported = findings
        .iter()
        .any(|finding| finding.rule() == Rule::NeverClosed);
    if let Some(Left { what, place, more }) = left
        && !is_reported
    {
        findings.push(Finding::NotLeft(NotLeft {
            what,
            place,
            turn,
            more,
        }));
    }
}

/// Whether strict mode is on, by the configuration or by the test in progress.
pub(crate) fn is_strict(session: Session<'_>) -> bool {
    session.thread.is_strict() || session.checker.config.is_strict()
}
