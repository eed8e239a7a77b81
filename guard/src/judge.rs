//! From a finding to what is done about it: describe, record, react. Also the verdicts that need no stack.

use crate::capture::{Captured, Origin, Way};
use crate::checker::Checker;
use crate::finding::{Beginning, Finding};
use crate::local::Local;
use crate::process::checker;
use crate::recent::WORTH_A_LOOK;
use crate::stack::{Charge, FrameId, Outcome, Stack, Swallowed};
use crate::{
    Action, Cursor, Engine, Entered, Place, Rule, Seen, Violation, addon, entry,
    handleguard_on_violation, names, owners, probes, react,
};

/// Judges `scope-budget` of the innermost recorded scope, with `inside` more scopes opened in the engine already. Tells
/// whether there is a budget.
#[inline]
pub(crate) fn budget<E: Engine>(local: &Local, engine: E, inside: u32) -> bool {
    let Some(budget) = checker().and_then(|checker| checker.config.scope_budget_of()) else {
        return false;
    };
    set_budget(local, engine, budget, inside);
    true
}

#[cold]
#[inline(never)]
fn set_budget<E: Engine>(local: &Local, engine: E, budget: u64, inside: u32) {
    let found = local.existing_stack(engine.isolate(), |stack| {
        let seen = Seen {
            level: engine.level().map(|level| level.saturating_sub(inside)),
            handles: engine.handles(),
        };
        let finding = stack.over_budget(budget, seen)?;
        Some((finding, stack.engine_is_below()))
    });
    if let Some(Some((finding, below))) = found {
        violated(local, engine, finding, below, || None);
    }
}

/// Notes what the scope `id`, that is about to close, held.
#[inline]
pub(crate) fn usage<E: Engine>(engine: E, stack: &Stack, id: FrameId) {
    let (Some(checker), Some(opened), Some(cursor)) =
        (checker(), stack.cursor_of(id), engine.cursor())
    else {
        return;
    };
    let advised = checker.config.action_of(Rule::RedundantScope) != Action::Off;
    if advised || cursor.since(opened).is_none_or(|held| held >= WORTH_A_LOOK) {
        note_usage(checker, engine, stack, cursor, advised);
    }
}

#[cold]
fn note_usage<E: Engine>(
    checker: &Checker,
    engine: E,
    stack: &Stack,
    cursor: Cursor,
    advised: bool,
) {
    let Some(mut used) = stack.used(Some(cursor), engine.handles()) else {
        return;
    };
    let marked = used.held.is_some_and(|held| held >= WORTH_A_LOOK);
    if cfg!(debug_assertions) && (marked || advised) {
        // Nothing is inlined, so the address that a hook noted is of what binds the engine; who called that is on the stack as
        // long as the scope is open.
        used.place = names::named(used.place, E::DIALECT.layer);
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
pub(crate) fn usage_around<E: Engine>(engine: E, stack: &Stack, seen: Seen) {
    if let Some(used) = stack.used_around(engine.cursor(), seen.handles)
        && let Some(checker) = checker()
        && used.held.is_some_and(|held| held >= WORTH_A_LOOK)
    {
        checker.usage.note(&used);
    }
}

/// Tells of places whose scopes never held a handle, where an isolate ends.
pub(crate) fn advise<E: Engine>(local: &Local, engine: E, engine_is_below: bool) {
    let Some(checker) = checker() else { return };
    if checker.config.action_of(Rule::RedundantScope) == Action::Off {
        return;
    }
    for row in checker.usage.redundant() {
        let finding = Finding::RedundantScope {
            kind: row.kind,
            place: row.place,
            uses: row.uses,
        };
        violated(local, engine, finding, engine_is_below, || None);
    }
}

/// Judges `wrong-thread` and `wrong-isolate`, before what begins is recorded. What was told is what handles can be charged to.
#[inline]
pub(crate) fn entered<E: Engine>(
    local: &Local,
    engine: E,
    beginning: Beginning,
    place: Place,
) -> Option<Charge> {
    let finding = entry::judge(engine.isolate(), engine.entered(), beginning, place)?;
    let below = local.existing_stack(engine.isolate(), |stack| stack.engine_is_below());
    violated(local, engine, finding, below.unwrap_or(false), || None)
}

/// By the configuration, or by the test in progress.
pub(crate) fn is_strict(local: &Local) -> bool {
    local.is_strict() || checker().is_some_and(|checker| checker.config.is_strict())
}

pub(crate) fn settle<E: Engine>(local: &Local, engine: E, outcome: Outcome, below: bool) {
    add(local, outcome.swallowed);
    for finding in outcome.findings {
        violated(local, engine, finding, below, || None);
    }
}

#[inline]
pub(crate) fn add(local: &Local, swallowed: Option<Swallowed>) {
    if let Some(swallowed) = swallowed {
        add_swallowed(local, swallowed);
    }
}

#[cold]
fn add_swallowed(local: &Local, Swallowed { charge, handles }: Swallowed) {
    match charge {
        Charge::Site(slot) => {
            if let Some(checker) = checker() {
                checker.add_handles(slot, local.lane(), handles);
            }
        }
        Charge::Collected(index) => local.add_handles(index, handles),
    }
}

/// Describes, records, reacts. The charge is where handles that the finding goes on to leave are to be added.
#[cold]
#[inline(never)]
pub(crate) fn violated<E: Engine>(
    local: &Local,
    engine: E,
    finding: Finding,
    engine_is_below: bool,
    callee: impl FnOnce() -> Option<String>,
) -> Option<Charge> {
    let origin = Origin::here();
    let checker = checker()?;
    let collecting = local.is_collecting();
    let (configured, _) = addon::action_of(&checker.config, finding.rule());
    if configured == Action::Off && (!collecting || finding.rule().is_advice()) {
        return None;
    }
    local
        .report(|| {
            handleguard_on_violation();
            probes::violation(engine.isolate(), finding.rule());
            let foreign = !E::UNWINDS || addon::is_running();
            let no_unwind = if engine_is_below || local.is_in_hook() {
                Some(react::NO_UNWIND)
            } else {
                foreign.then_some(react::NO_UNWIND_FOREIGN)
            };
            let (action, note) = match configured {
                // A test takes no action, and a thread that panics already only prints.
                Action::Panic
                    if no_unwind.is_some() && !collecting && !std::thread::panicking() =>
                {
                    (Action::Abort, no_unwind)
                }
                action => (action, None),
            };
            let describe = |stack: &Captured| describe(engine, finding, stack, note, callee);
            if collecting {
                let stack = Captured::from(origin, Way::Tables);
                return local.push(describe(&stack)).map(Charge::Collected);
            }
            if react::needs_each(action) {
                let violation = describe(&Captured::from(origin, Way::Tables));
                let recorded =
                    checker.record(&finding, origin, local.lane(), |_| violation.clone());
                let charge = recorded.map(|recorded| Charge::Site(recorded.slot));
                match action {
                    Action::Abort => react::abort(&violation),
                    _ => react::panic(&violation),
                }
                return charge;
            }
            record(checker, action, &finding, origin, local, describe)
        })
        .flatten()
}

/// Counts one occurrence, and logs it where it is the first of its cause.
pub(crate) fn record(
    checker: &Checker,
    action: Action,
    finding: &Finding,
    origin: Origin,
    local: &Local,
    describe: impl FnOnce(&Captured) -> Violation,
) -> Option<Charge> {
    let watch = checker.watch(local.violations());
    let recorded = checker.record(finding, origin, local.lane(), describe);
    checker.stop(
        watch,
        recorded.is_some_and(|recorded| recorded.new.is_some()),
    );
    let recorded = recorded?;
    if action == Action::Log
        && let Some(detail) = recorded.new
    {
        react::log(&detail.violation);
    }
    Some(Charge::Site(recorded.slot))
}

/// All that is told of a finding. Asks the engine only where it may be asked: not of an isolate that is not current here, for
/// it may be busy on another thread or on its way out; not in a collection; and not while it makes a handle, for what it
/// is making it of may not move.
pub(crate) fn describe<E: Engine>(
    engine: E,
    finding: Finding,
    stack: &Captured,
    note: Option<&'static str>,
    callee: impl FnOnce() -> Option<String>,
) -> Violation {
    let isolate = engine.isolate();
    let current = match engine.entered() {
        Entered::Unknown => true,
        Entered::None => false,
        Entered::Isolate(current) => current == isolate,
    };
    let collecting = Local::with(|local| {
        local
            .existing_stack(isolate, |stack| stack.must_not_ask())
            .unwrap_or(false)
    });
    let may_ask =
        current && collecting == Some(false) && !matches!(finding, Finding::Sealed { .. });
    let script = if may_ask {
        engine.script_frames()
    } else {
        Vec::new()
    };
    let config = checker().map(|checker| &checker.config);
    let (configured, policy) = config.map_or((Action::Off, None), |config| {
        addon::action_of(config, finding.rule())
    });
    Violation {
        finding: finding.map_places(|place| names::named(place, E::DIALECT.layer)),
        configured,
        policy,
        note,
        thread: owners::thread_name(),
        isolate,
        callee: if may_ask { callee() } else { None },
        owner: match finding {
            Finding::WrongThread { .. } => owners::describe(isolate, E::DIALECT.layer),
            _ => None,
        },
        handles: finding.handles(),
        alive: if current { engine.handles() } else { None },
        trace: stack.keep(
            E::DIALECT.layer,
            script,
            config.is_some_and(|config| config.is_full_stack()),
        ),
        dialect: E::DIALECT,
    }
}
