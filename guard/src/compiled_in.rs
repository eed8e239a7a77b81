//! The guards and the process-wide checker, where the checks are compiled in. A thin file over [`Stack`](crate::stack)
//! and the checker; [`compiled_out`](crate::compiled_out) is its twin.

use crate::capture::Captured;
use crate::checker::Checker;
use crate::directives::{self, ConfigError, Help};
use crate::finding::{Beginning, Finding, ScopeKind};
use crate::local::Local;
use crate::stack::{Charge, FrameId, Outcome, Swallowed};
use crate::start::Start;
use crate::{
    Action, Config, Engine, Entered, InitError, Place, Report, Seen, VARIABLE, Violation, entry,
    handleguard_on_violation, owners, react, sight,
};
use std::marker::PhantomData;

#[cfg(not(all(test, loom)))]
static START: Start = Start::new();

/// Whether the checks are compiled into this build.
pub const COMPILED_IN: bool = true;

/// Callbacks after which a host that never marked a turn is told of turns.
const HINT_AFTER: u64 = 100;

/// Keeps a guard on its thread: a scope belongs to the thread that opened it.
type NotSend = PhantomData<*const ()>;

/// Records that a handle scope is open, as long as it lives. Made by [`scope`].
///
/// Not `Send`, as a scope closes on the thread that opened it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::ScopeGuard<E>>() }
/// ```
#[must_use = "if unused the scope closes immediately"]
#[derive(Debug)]
pub struct ScopeGuard<E: Engine> {
    held: Option<(E, FrameId)>,
    _not_send: NotSend,
}

/// Records that the host has called into JavaScript, as long as it lives. Made by [`callback`].
///
/// Not `Send`, as a call returns on the thread that made it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::CallbackGuard<E>>() }
/// ```
#[must_use = "if unused the callback ends immediately"]
#[derive(Debug)]
pub struct CallbackGuard<E: Engine> {
    held: Option<(E, FrameId)>,
    _not_send: NotSend,
}

/// Marks one turn of the host's loop, as long as it lives. Made by [`turn`].
///
/// Not `Send`, as a turn ends on the thread that began it:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// fn any<E: handleguard::Engine + Send>() { is_send::<handleguard::TurnGuard<E>>() }
/// ```
#[must_use = "if unused the turn ends immediately"]
#[derive(Debug)]
pub struct TurnGuard<E: Engine> {
    held: Option<(E, FrameId)>,
    _not_send: NotSend,
}

/// Records a handle scope that was just opened in `engine`; the record closes when the guard is dropped.
///
/// Make it right after the engine's scope, so that it is dropped right before.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the action of `out-of-order`.
#[inline]
#[track_caller]
pub fn scope<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> ScopeGuard<E> {
    scope_at(engine, ScopeKind::HandleScope, Place::here(name))
}

/// As [`scope`], of another kind or opened elsewhere.
#[inline]
pub fn scope_at<E: Engine>(engine: E, kind: ScopeKind, place: Place) -> ScopeGuard<E> {
    let held = entering(engine, |local| {
        let budget = scope_budget();
        judge_budget(local, engine, budget, u32::from(kind.holds_handles()));
        let (id, swallowed, below) = local.stack(engine.isolate(), place, |stack| {
            let wanted = budget.is_some() || stack.wants_handles();
            let seen = Seen {
                level: engine.level(),
                handles: wanted.then(|| engine.handles()).flatten(),
            };
            let (id, swallowed) = stack.open_scope(kind, place, seen);
            (id, swallowed, stack.engine_is_below())
        })?;
        add(local, swallowed);
        judge_entry(local, engine, Beginning::Scope(kind), place, below);
        Some(id)
    });
    ScopeGuard {
        held: held.map(|id| (engine, id)),
        _not_send: PhantomData,
    }
}

impl<E: Engine> Drop for ScopeGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Some((engine, id)) = self.held.take() else {
            return;
        };
        let _ = Local::with(|local| {
            judge_budget(local, engine, scope_budget(), 0);
            let found = local.existing_stack(engine.isolate(), |stack| {
                stack
                    .close_scope(id)
                    .map(|finding| (finding, stack.engine_is_below()))
            });
            if let Some(Some((finding, below))) = found {
                violated(local, engine, finding, below, || None);
            }
        });
    }
}

/// Records that the host calls into JavaScript now; the call ends when the guard is dropped. Judges `missing-scope` at
/// once, and `outer-growth` at the end.
///
/// # Panics and aborts
///
/// By the actions of these two rules.
#[inline]
#[track_caller]
pub fn callback<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> CallbackGuard<E> {
    callback_at(engine, Place::here(name), || None)
}

/// As [`callback`], called elsewhere. `callee` names the JavaScript function; it is asked only where a violation has
/// to be described, and may use the engine.
#[inline]
pub fn callback_at<E: Engine>(
    engine: E,
    place: Place,
    callee: impl FnOnce() -> Option<String>,
) -> CallbackGuard<E> {
    let held = entering(engine, |local| {
        judge_budget(local, engine, scope_budget(), 0);
        let (id, finding, below, hint) = local.stack(engine.isolate(), place, |stack| {
            let below = stack.engine_is_below();
            stack.set_strict(is_strict(local));
            let level = engine.level();
            let handles = stack.exposed(level).then(|| engine.handles()).flatten();
            let (id, finding) = stack.begin_callback(place, Seen { level, handles });
            let hint = stack.callbacks_begun() == HINT_AFTER && stack.turns_begun() == 0;
            (id, finding, below, hint)
        })?;
        if let Some(finding) = finding
            && let Some(charge) = violated(local, engine, finding, below, callee)
        {
            let swallowed = local
                .existing_stack(engine.isolate(), |stack| stack.charge(id, charge))
                .flatten();
            add(local, swallowed);
        }
        judge_entry(local, engine, Beginning::Callback, place, below);
        if hint {
            hint_at_turns::<E>();
        }
        Some(id)
    });
    CallbackGuard {
        held: held.map(|id| (engine, id)),
        _not_send: PhantomData,
    }
}

impl<E: Engine> Drop for CallbackGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Some((engine, id)) = self.held.take() else {
            return;
        };
        let _ = Local::with(|local| {
            let ended = local.existing_stack(engine.isolate(), |stack| {
                let exposed = stack.callback_is_exposed();
                let seen = Seen {
                    level: engine.level(),
                    handles: exposed.then(|| engine.handles()).flatten(),
                };
                (stack.end_callback(id, seen), stack.engine_is_below())
            });
            if let Some((outcome, below)) = ended {
                settle(local, engine, outcome, below);
            }
            judge_budget(local, engine, scope_budget(), 0);
        });
    }
}

/// Marks that a turn of the host's loop begins now; it ends when the guard is dropped. Scopes opened before it do not
/// count as enclosing what runs in it. Turns nest: one for the loop's pass and one for each event in it is fine.
///
/// # Panics and aborts
///
/// When the guard is dropped, by the actions of `outer-growth` and `never-closed`.
#[inline]
#[track_caller]
pub fn turn<E: Engine>(engine: E, name: impl Into<Option<&'static str>>) -> TurnGuard<E> {
    turn_at(engine, Place::here(name))
}

/// As [`turn`], begun elsewhere.
#[inline]
pub fn turn_at<E: Engine>(engine: E, place: Place) -> TurnGuard<E> {
    let held = entering(engine, |local| {
        let (id, below) = local.stack(engine.isolate(), place, |stack| {
            let id = stack.begin_turn(place, seen(engine));
            (id, stack.engine_is_below())
        })?;
        judge_entry(local, engine, Beginning::Turn, place, below);
        Some(id)
    });
    TurnGuard {
        held: held.map(|id| (engine, id)),
        _not_send: PhantomData,
    }
}

impl<E: Engine> Drop for TurnGuard<E> {
    #[inline]
    fn drop(&mut self) {
        let Some((engine, id)) = self.held.take() else {
            return;
        };
        let _ = Local::with(|local| {
            let ended = local.existing_stack(engine.isolate(), |stack| {
                (stack.end_turn(id, seen(engine)), stack.engine_is_below())
            });
            if let Some((outcome, below)) = ended {
                settle(local, engine, outcome, below);
            }
        });
    }
}

/// Ends the record of `engine`'s isolate on this thread. Call it while the isolate can still be read, just before it is
/// disposed.
///
/// # Panics and aborts
///
/// By the action of `never-closed`, if scopes are still open.
pub fn end_isolate<E: Engine>(engine: E) {
    let _ = Local::with(|local| {
        let Some(mut stack) = local.remove_stack(engine.isolate()) else {
            return;
        };
        let below = stack.engine_is_below();
        let findings = stack.end_isolate(seen(engine));
        if stack.callbacks_begun() > 0 && stack.turns_begun() == 0 {
            hint_at_turns::<E>();
        }
        let outcome = Outcome {
            findings,
            swallowed: None,
        };
        settle(local, engine, outcome, below);
    });
}

/// Handle scopes open on this thread since the innermost turn began, as recorded by guards, in the isolate whose guard
/// was used last.
pub fn depth() -> u32 {
    Local::with(Local::depth).unwrap_or(0)
}

/// All sites and counters of the process as they stand now.
pub fn report() -> Report {
    checker().map(Checker::report).unwrap_or_default()
}

/// What came since the last tick, be it this call's or the background thread's, and all.
pub fn tick() -> (Report, Report) {
    checker().map(Checker::tick).unwrap_or_default()
}

/// Starts the checker of this process; see [`Config::try_init`].
///
/// # Errors
///
/// As there.
pub fn try_init(config: Config) -> Result<(), InitError> {
    let (config, help) = from_environment(&config).map_err(InitError::Config)?;
    start()
        .try_start(Box::new(Checker::new(config.clone())))
        .map_err(|_| InitError::AlreadyStarted)?;
    started(&config, help);
    Ok(())
}

/// Whether any rule is on. Starts the checker, if it did not run yet.
pub fn is_on() -> bool {
    checker().is_some_and(|checker| checker.config.is_on())
}

fn from_environment(config: &Config) -> Result<(Config, bool), ConfigError> {
    match std::env::var_os(VARIABLE) {
        None => Ok((config.clone(), false)),
        Some(value) => match value.to_str() {
            Some(directives) => directives::apply(config, directives),
            None => Err(ConfigError::not_unicode(&value)),
        },
    }
}

/// The checker of the process, started with the variable over the defaults if it did not run yet.
#[inline]
fn checker() -> Option<&'static Checker> {
    if let Some(checker) = start().get() {
        return Some(checker);
    }
    start_by_default();
    start().get()
}

#[cold]
fn start_by_default() {
    let defaults = Config::new();
    let (config, help, error) = match from_environment(&defaults) {
        Ok((config, help)) => (config, help, None),
        Err(error) => (defaults, false, Some(error)),
    };
    // Another thread may have been first; then it says what there is to say.
    if start()
        .try_start(Box::new(Checker::new(config.clone())))
        .is_ok()
    {
        if let Some(error) = error {
            crate::stderr::print(format_args!(
                "handleguard: {VARIABLE}: {error}; ignored, the defaults hold\n"
            ));
        }
        started(&config, help);
    }
}

fn started(config: &Config, help: bool) {
    if help {
        crate::stderr::print(Help(config));
    }
    crate::tick::start(config, start());
}

/// Runs `f` for a guard that comes to life; the first one of the process announces the checker.
#[inline]
fn entering<E: Engine, R>(engine: E, f: impl FnOnce(&Local) -> Option<R>) -> Option<R> {
    if start().is_off() {
        return None;
    }
    if start().is_unannounced() {
        announce(engine);
        if start().is_off() {
            return None;
        }
    }
    Local::with(f).flatten()
}

#[cold]
fn announce<E: Engine>(engine: E) {
    let Some(checker) = checker() else { return };
    if checker.config.is_on() && start().announce() {
        let _ = Local::with(|local| {
            local.report(|| {
                react::say(
                    tracing::Level::INFO,
                    sight::Line {
                        config: &checker.config,
                        sight: &engine.sight(),
                    },
                );
            })
        });
    }
}

#[cold]
fn hint_at_turns<E: Engine>() {
    if start().hint() {
        let _ = Local::with(|local| {
            local.report(|| react::say(tracing::Level::WARN, sight::Hint(E::DIALECT)))
        });
    }
}

/// How many handles a scope may hold, if the user has said.
#[inline]
fn scope_budget() -> Option<u64> {
    checker()?.config.scope_budget_of()
}

/// Judges `scope-budget` of the innermost recorded scope, with `inside` more scopes opened in the engine already.
#[inline]
fn judge_budget<E: Engine>(local: &Local, engine: E, budget: Option<u64>, inside: u32) {
    if let Some(budget) = budget {
        judge_set_budget(local, engine, budget, inside);
    }
}

#[cold]
#[inline(never)]
fn judge_set_budget<E: Engine>(local: &Local, engine: E, budget: u64, inside: u32) {
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

/// Judges `wrong-thread` and `wrong-isolate`.
#[inline]
fn judge_entry<E: Engine>(
    local: &Local,
    engine: E,
    beginning: Beginning,
    place: Place,
    engine_is_below: bool,
) {
    if let Some(finding) = entry::judge(engine.isolate(), engine.entered(), beginning, place) {
        violated(local, engine, finding, engine_is_below, || None);
    }
}

/// By the configuration, or by the test in progress.
fn is_strict(local: &Local) -> bool {
    local.is_strict() || checker().is_some_and(|checker| checker.config.is_strict())
}

#[inline]
fn seen<E: Engine>(engine: E) -> Seen {
    Seen {
        level: engine.level(),
        handles: engine.handles(),
    }
}

fn settle<E: Engine>(local: &Local, engine: E, outcome: Outcome, below: bool) {
    add(local, outcome.swallowed);
    for finding in outcome.findings {
        violated(local, engine, finding, below, || None);
    }
}

#[inline]
fn add(local: &Local, swallowed: Option<Swallowed>) {
    if let Some(swallowed) = swallowed {
        add_swallowed(local, swallowed);
    }
}

#[cold]
fn add_swallowed(local: &Local, Swallowed { charge, handles }: Swallowed) {
    match charge {
        Charge::Site(slot) => {
            if let Some(checker) = checker() {
                checker.add_handles(slot, handles);
            }
        }
        Charge::Collected(index) => local.add_handles(index, handles),
    }
}

/// Describes, records, reacts. The charge is where handles that the finding goes on to leave are to be added.
#[cold]
#[inline(never)]
fn violated<E: Engine>(
    local: &Local,
    engine: E,
    finding: Finding,
    engine_is_below: bool,
    callee: impl FnOnce() -> Option<String>,
) -> Option<Charge> {
    let checker = checker()?;
    let collecting = local.is_collecting();
    let configured = checker.config.action_of(finding.rule());
    if configured == Action::Off && !collecting {
        return None;
    }
    local
        .report(|| {
            handleguard_on_violation();
            let stack = Captured::here();
            let (action, note) = match configured {
                // A test takes no action, and a thread that panics already only prints.
                Action::Panic if engine_is_below && !collecting && !std::thread::panicking() => {
                    (Action::Abort, Some(react::NO_UNWIND))
                }
                action => (action, None),
            };
            let isolate = engine.isolate();
            let describe = || {
                // An isolate that is not current here may be busy on another thread, or on its way out.
                let may_ask = match engine.entered() {
                    Entered::Unknown => true,
                    Entered::None => false,
                    Entered::Isolate(current) => current == isolate,
                };
                let script = if may_ask {
                    engine.script_frames()
                } else {
                    Vec::new()
                };
                Violation {
                    finding,
                    configured,
                    note,
                    thread: owners::thread_name(),
                    isolate,
                    callee: if may_ask { callee() } else { None },
                    owner: match finding {
                        Finding::WrongThread { .. } => owners::describe(isolate),
                        _ => None,
                    },
                    handles: finding.handles(),
                    trace: stack.keep(E::DIALECT.layer, script, checker.config.is_full_stack()),
                    dialect: E::DIALECT,
                }
            };
            if collecting {
                return local.push(describe()).map(Charge::Collected);
            }
            if react::needs_each(action) {
                let violation = describe();
                let recorded = checker.record(&finding, &stack, || violation.clone());
                let charge = recorded.map(|recorded| Charge::Site(recorded.slot));
                match action {
                    Action::Abort => react::abort(&violation),
                    _ => react::panic(&violation),
                }
                return charge;
            }
            let recorded = checker.record(&finding, &stack, describe)?;
            if action == Action::Log
                && let Some(detail) = recorded.new
            {
                react::log(&detail.violation, recorded.count);
            }
            Some(Charge::Site(recorded.slot))
        })
        .flatten()
}

#[cfg(not(all(test, loom)))]
#[inline]
fn start() -> &'static Start {
    &START
}

/// Loom's atomics cannot live in a `static`. The models build their own [`Start`]; nothing here runs in them.
#[cfg(all(test, loom))]
fn start() -> &'static Start {
    unreachable!("[handleguard internal bug] the process-wide checker in a model")
}
