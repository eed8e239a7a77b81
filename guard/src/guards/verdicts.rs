//! From a finding to what is done about it: describe, record, react. Also the verdicts that need no stack.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::redundant_scope::RedundantScope;
use crate::detect::isolate;
use crate::detect::stack::{ReportRef, ScopeStack};
use crate::engine::counters::{Cursor, EngineCounts};
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::pipeline::violated;
use crate::place::Place;
use crate::process::global::checker;
use crate::record::checker::Checker;
use crate::symbolize::names;
use crate::thread::fast_path::MIN_HIGH_WATER;
use crate::thread::state::ThreadState;
/// Judges `scope-budget` of the innermost recorded scope, with `inside` more scopes opened in the engine already. Tells
/// whether there is a budget.
#[inline]
pub(crate) fn budget<E: Engine>(thread: &ThreadState, engine: E, inside: u32) -> bool {
    let Some(budget) = checker().and_then(|checker| checker.config.scope_budget_of()) else {
        return false;
    };
    set_budget(thread, engine, budget, inside);
    true
}

#[cold]
#[inline(never)]
fn set_budget<E: Engine>(thread: &ThreadState, engine: E, budget: u64, inside: u32) {
    let found = thread.existing_stack(engine.isolate(), |stack| {
        let seen = EngineCounts {
            level: engine.level().map(|level| level.saturating_sub(inside)),
            handles: engine.handles(),
        };
        let finding = stack.over_budget(budget, seen)?;
        Some((finding, stack.engine_is_below()))
    });
    if let Some(Some((finding, below))) = found {
        violated(thread, engine, finding, below, || None);
    }
}

/// Notes what the scope `id`, that is about to close, held.
#[inline]
pub(crate) fn usage<E: Engine>(engine: E, stack: &ScopeStack, id: EntryId) {
    let (Some(checker), Some(opened), Some(cursor)) =
        (checker(), stack.cursor_of(id), engine.cursor())
    else {
        return;
    };
    let advised = checker.config.action_of(Rule::RedundantScope) != Action::Off;
    if advised
        || cursor
            .since(opened)
            .is_none_or(|held| held >= MIN_HIGH_WATER)
    {
        note_usage(checker, engine, stack, cursor, advised);
    }
}

#[cold]
fn note_usage<E: Engine>(
    checker: &Checker,
    engine: E,
    stack: &ScopeStack,
    cursor: Cursor,
    advised: bool,
) {
    let Some(mut used) = stack.used(Some(cursor), engine.handles()) else {
        return;
    };
    let marked = used.held.is_some_and(|held| held >= MIN_HIGH_WATER);
    if cfg!(debug_assertions) && (marked || advised) {
        // Nothing is inlined, so the address that a hook noted is of what binds the engine; who called that is on the stack as
        // long as the scope is open.
        used.place = names::named(used.place, E::WORDING.classifier);
    }
    if marked {
        checker.usage.note(&used);
    }
    if advised {
        checker.usage.count(&used);
    }
}

/// Notes what the scope around a turn holds at its end: it may never close.
#[inline]
pub(crate) fn usage_around<E: Engine>(engine: E, stack: &ScopeStack, seen: EngineCounts) {
    if let Some(used) = stack.used_around(engine.cursor(), seen.handles)
        && let Some(checker) = checker()
        && used.held.is_some_and(|held| held >= MIN_HIGH_WATER)
    {
        checker.usage.note(&used);
    }
}

/// Tells of places whose scopes never held a handle, where an isolate ends.
pub(crate) fn advise<E: Engine>(thread: &ThreadState, engine: E, engine_is_below: bool) {
    let Some(checker) = checker() else { return };
    if checker.config.action_of(Rule::RedundantScope) == Action::Off {
        return;
    }
    for row in checker.usage.redundant() {
        let finding = Finding::RedundantScope(RedundantScope {
            kind: row.kind,
            place: row.place,
            uses: row.uses,
        });
        violated(thread, engine, finding, engine_is_below, || None);
    }
}

/// Judges `wrong-thread` and `wrong-isolate`, before what begins is recorded. What was told is what handles can be charged to.
#[inline]
pub(crate) fn entered<E: Engine>(
    thread: &ThreadState,
    engine: E,
    beginning: Beginning,
    place: Place,
) -> Option<ReportRef> {
    let finding = isolate::judge(engine.isolate(), engine.entered(), beginning, place)?;
    let below = thread.existing_stack(engine.isolate(), |stack| stack.engine_is_below());
    violated(thread, engine, finding, below.unwrap_or(false), || None)
}

/// By the configuration, or by the test in progress.
pub(crate) fn is_strict(thread: &ThreadState) -> bool {
    thread.is_strict() || checker().is_some_and(|checker| checker.config.is_strict())
}
