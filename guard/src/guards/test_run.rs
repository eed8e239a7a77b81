//! The closure of a test as a turn of each isolate that is used in it: what the closure leaves in an outer scope is found, also
//! where no turn is marked.
//!
//! ```text
//!   begin      begins a turn of each isolate that this thread has used and entered
//!   note_use   begins a turn of each other isolate, at its first use in the closure
//!   leaves     ends the turns of an isolate that the thread leaves
//!   end        ends the others, and judges them
//! ```
//!
//! Runs nest. An isolate has a turn for each run in which it is used, and what the turn of an inner run reports is reported of the
//! outer one too.

use crate::describe::unjudged::Unjudged;
use crate::engine::counters::EngineCounts;
use crate::engine::entered::Entered;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::verdicts;
use crate::pipeline::{Session, settle};
use crate::place::Place;
use crate::process::{global, seal};
use crate::thread::fast_path;
use crate::thread::state::ThreadState;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

thread_local! {
    static RUNS: RefCell<Runs> = const {
        RefCell::new(Runs {
            known: Vec::new(),
            open: Vec::new(),
        })
    };
}

/// The runs of one thread.
struct Runs {
    /// The isolates that the thread has used.
    known: Vec<Rc<dyn AnyIsolate>>,
    /// The runs in progress, outermost first.
    open: Vec<Run>,
}

/// One run in progress.
struct Run {
    /// Where the test calls it. `None` if the run only counts handles.
    turn: Option<Place>,
    isolates: Vec<Share>,
    /// By how many handles those isolates grew that the thread has left.
    grown: Option<u64>,
}

/// What a run keeps of one isolate.
struct Share {
    isolate: Rc<dyn AnyIsolate>,
    /// The run's turn of the isolate; [`EntryId::NONE`] if the run only counts handles.
    turn: EntryId,
    /// Counts when the run began, or at the first use in it.
    before: EngineCounts,
}

/// An isolate of any engine.
trait AnyIsolate {
    fn isolate(&self) -> IsolateId;

    /// Whether the thread may read the isolate now, as far as the engine says: it has entered this isolate, or another one while
    /// this one was entered.
    fn is_entered(&self, or_below: bool) -> bool;

    /// The counts now. `None` if the isolate has no record on this thread.
    fn counts(&self, thread: &ThreadState) -> Option<EngineCounts>;

    /// Begins a turn. `inside`: how many scopes the engine has opened that the record does not have yet.
    fn begin_turn(&self, thread: &ThreadState, place: Place, inside: u32) -> Option<EntryId>;

    /// Ends the turn and reports what it left.
    fn end_turn(&self, session: Session<'_>, turn: EntryId) -> Result<(), Unjudged>;

    /// Ends the turn without a verdict.
    fn abandon_turn(&self, thread: &ThreadState, turn: EntryId);
}

impl<E: Engine> AnyIsolate for E {
    fn isolate(&self) -> IsolateId {
        Engine::isolate(*self)
    }

    fn is_entered(&self, or_below: bool) -> bool {
        match self.entered() {
            Entered::Unknown => true,
            Entered::None | Entered::ByEngine => false,
            Entered::Isolate(current) => or_below || current == Engine::isolate(*self),
        }
    }

    fn counts(&self, thread: &ThreadState) -> Option<EngineCounts> {
        thread.recorded(*self, |live, _| live.counts())
    }

    fn begin_turn(&self, thread: &ThreadState, place: Place, inside: u32) -> Option<EntryId> {
        let id = thread.recorded(*self, |live, stack| {
            let counts = outside(live.counts(), inside);
            let id = stack.begin_test_run(place, counts);
            stack.note_siblings(thread.siblings.begun());
            stack.note_cursor(live.cursor());
            id
        })?;
        // A seal stands at the engine's level of this moment.
        if inside == 0
            && let Some(checker) = global::checker()
        {
            thread.with_live(*self, |live| {
                if seal::can_watch(checker, live) {
                    live.watch(id);
                }
            });
        }
        Some(id)
    }

    fn end_turn(&self, session: Session<'_>, turn: EntryId) -> Result<(), Unjudged> {
        let reads = self.is_entered(true);
        let ended = session.thread.recorded_entry(*self, turn, |live, stack| {
            let counts = if reads {
                live.unseal(turn);
                live.counts()
            } else {
                EngineCounts {
                    level: None,
                    handles: None,
                }
            };
            let judged = stack.can_judge(turn, counts);
            let siblings = stack.turn_with_siblings(turn);
            let mut outcome = stack.end_turn(turn, counts);
            if reads {
                let growth = stack
                    .judge_persistent_handles(live.hooks_persistent_handles(), || {
                        live.persistent_handles()
                    });
                outcome.findings.extend(growth);
            }
            (judged, siblings, outcome, stack.engine_is_below())
        });
        // `None`: the isolate has ended, and its handles with it.
        let Some((judged, siblings, mut outcome, below)) = ended else {
            return Ok(());
        };
        if let Some((turn, since)) = siblings {
            let since = (Some(turn), since);
            verdicts::siblings(session, *self, since, &mut outcome.findings);
        }
        if reads {
            settle(session, *self, turn, outcome, below);
        }
        session
            .thread
            .caught
            .take_since(Engine::isolate(*self), turn);
        judged
    }

    fn abandon_turn(&self, thread: &ThreadState, turn: EntryId) {
        let reads = self.is_entered(true);
        thread.recorded_entry(*self, turn, |live, stack| {
            if reads {
                live.unseal(turn);
                stack.end_turn(turn, live.counts());
            }
        });
        thread.caught.take_since(Engine::isolate(*self), turn);
    }
}

/// A run in progress. Dropped before its [`end`](Self::end), as by a panic of the closure, it gives no verdict.
pub(crate) struct TestRun {
    /// Whether the run around this one had seen no isolate used when this one began.
    outer_awaits_use: bool,
    has_ended: bool,
    /// A run belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

impl TestRun {
    /// Begins a run that is a turn, marked at `place`, of each isolate used in it.
    pub(crate) fn begin(place: Place) -> Self {
        Self::start(Some(place))
    }

    /// Begins a run that only counts handles.
    pub(crate) fn begin_count() -> Self {
        Self::start(None)
    }

    fn start(turn: Option<Place>) -> Self {
        let known = with(|runs| {
            runs.open.push(Run {
                turn,
                isolates: Vec::new(),
                grown: None,
            });
            runs.known.clone()
        });
        let outer_awaits_use = ThreadState::with(|thread| {
            let at = with(|runs| runs.open.len()).unwrap_or(0).saturating_sub(1);
            for isolate in known.into_iter().flatten() {
                let is_below =
                    || thread.entered.holds(isolate.isolate()) && isolate.is_entered(true);
                if isolate.is_entered(false) || is_below() {
                    begin_share(thread, at, isolate, 0);
                }
            }
            let before = thread.set_awaits_use(true);
            fast_path::disable();
            before
        });
        Self {
            outer_awaits_use: outer_awaits_use.unwrap_or(false),
            has_ended: false,
            _not_send: PhantomData,
        }
    }

    /// Ends the run: reports what its turns left. Fails if some of it could not be judged.
    pub(crate) fn end(mut self) -> Result<(), Unjudged> {
        let Some((run, was_used)) = self.finish() else {
            return Ok(());
        };
        let mut judged = if was_used {
            Ok(())
        } else {
            Err(Unjudged::NotUsed)
        };
        let Some(checker) = global::checker() else {
            return judged;
        };
        let _ = ThreadState::with(|thread| {
            let session = Session { checker, thread };
            for share in run.isolates {
                judged = judged.and(end_share(session, &share));
            }
        });
        judged
    }

    /// Ends the run: returns by how many handles the isolate grew that grew most.
    pub(crate) fn end_count(mut self) -> Result<u64, Unjudged> {
        let grown = self.finish().and_then(|(run, _)| {
            ThreadState::with(|thread| {
                let grown = run.isolates.iter().map(|share| share.grown(thread));
                grown.max().max(Some(run.grown)).flatten()
            })?
        });
        grown.ok_or(Unjudged::NothingCounted)
    }

    /// Takes the run off the list. Also returns whether a guard or hook ran in it.
    fn finish(&mut self) -> Option<(Run, bool)> {
        self.has_ended = true;
        let run = with(|runs| runs.open.pop()).flatten()?;
        let awaits_use = ThreadState::with(|thread| {
            let awaits_use = thread.set_awaits_use(false);
            thread.set_awaits_use(awaits_use && self.outer_awaits_use);
            awaits_use
        });
        Some((run, awaits_use == Some(false)))
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        if let Some((run, _)) = self.finish() {
            let _ = ThreadState::with(|thread| {
                for share in run.isolates {
                    share.isolate.abandon_turn(thread, share.turn);
                }
            });
        }
    }
}

/// Records that `isolate` has a record on this thread, so that the next run begins a turn of it.
pub(crate) fn know<L: LiveIsolate>(isolate: L) {
    let engine = isolate.engine();
    with(|runs| runs.know(engine));
}

/// Records that something begins in `isolate`, at `place`. `inside`: how many scopes the engine has opened that the record does not
/// have yet.
pub(crate) fn note_use<L: LiveIsolate>(
    Session { thread, .. }: Session<'_>,
    isolate: L,
    place: Place,
    inside: u32,
) {
    if thread.is_reporting() {
        return;
    }
    let engine = isolate.engine();
    let id = engine.isolate();
    let Some((isolate, runs)) = with(|runs| (runs.know(engine), runs.open.len())) else {
        return;
    };
    for at in 0..runs {
        let turn = with(|runs| runs.open.get(at)?.turn_of(id)).flatten();
        let is_open = |turn| {
            turn == EntryId::NONE
                || thread.existing_record(id, |stack| stack.is_open(turn)) == Some(true)
        };
        if !turn.is_some_and(is_open) {
            // The place is that of the first use, if this is the first.
            thread.record(id, place, |_| ());
            begin_share(thread, at, Rc::clone(&isolate), inside);
        }
    }
}

/// Ends the turns of `isolate`, which the thread is about to leave: another thread may use it then. `judge`: what they left has no
/// report yet.
pub(crate) fn leaves(session: Session<'_>, isolate: IsolateId, judge: bool) {
    let runs = with(|runs| runs.open.len()).unwrap_or(0);
    for at in (0..runs).rev() {
        let share = with(|runs| runs.open.get_mut(at)?.take(isolate)).flatten();
        match share {
            Some(share) if share.turn == EntryId::NONE => {
                let grown = share.grown(session.thread);
                with(|runs| {
                    if let Some(run) = runs.open.get_mut(at) {
                        run.grown = run.grown.max(grown);
                    }
                });
            }
            Some(share) if judge => drop(end_share(session, &share)),
            Some(share) => share.isolate.abandon_turn(session.thread, share.turn),
            None => {}
        }
    }
}

/// Forgets `isolate`, which has ended.
pub(crate) fn forget(isolate: IsolateId) {
    with(|runs| {
        runs.known.retain(|known| known.isolate() != isolate);
        for run in &mut runs.open {
            run.take(isolate);
        }
    });
}

fn begin_share(thread: &ThreadState, at: usize, isolate: Rc<dyn AnyIsolate>, inside: u32) {
    let Some(before) = isolate.counts(thread) else {
        return;
    };
    let place = with(|runs| runs.open.get(at).map(|run| run.turn)).flatten();
    let turn = match place {
        None => return,
        Some(None) => EntryId::NONE,
        Some(Some(place)) => match isolate.begin_turn(thread, place, inside) {
            None => return,
            Some(turn) => turn,
        },
    };
    with(|runs| {
        if let Some(run) = runs.open.get_mut(at) {
            run.take(isolate.isolate());
            run.isolates.push(Share {
                isolate,
                turn,
                before: outside(before, inside),
            });
        }
    });
}

fn end_share(session: Session<'_>, share: &Share) -> Result<(), Unjudged> {
    let judged = share.isolate.end_turn(session, share.turn);
    // With no scope open at the start, there is none that could hold what the closure left.
    if !share.isolate.is_entered(true) && share.before.level.is_some_and(|level| level > 0) {
        return Err(Unjudged::Left);
    }
    judged
}

/// The counts just outside of `inside` scopes that hold no handle yet.
fn outside(counts: EngineCounts, inside: u32) -> EngineCounts {
    EngineCounts {
        level: counts.level.map(|level| level.saturating_sub(inside)),
        ..counts
    }
}

/// Runs `f` on the runs of this thread. `None` while the thread is ending.
fn with<R>(f: impl FnOnce(&mut Runs) -> R) -> Option<R> {
    RUNS.try_with(|runs| Some(f(&mut *runs.try_borrow_mut().ok()?)))
        .ok()
        .flatten()
}

impl Runs {
    fn know<E: Engine>(&mut self, engine: E) -> Rc<dyn AnyIsolate> {
        let id = Engine::isolate(engine);
        if let Some(known) = self.known.iter().find(|known| known.isolate() == id) {
            return Rc::clone(known);
        }
        let isolate: Rc<dyn AnyIsolate> = Rc::new(engine);
        self.known.push(Rc::clone(&isolate));
        isolate
    }
}

impl Share {
    /// By how many handles the isolate has grown. `None` if that is unknown.
    fn grown(&self, thread: &ThreadState) -> Option<u64> {
        if !self.isolate.is_entered(true) {
            return None;
        }
        let now = self.isolate.counts(thread)?.handles?;
        Some(now.saturating_sub(self.before.handles?))
    }
}

impl Run {
    /// The run's turn of `isolate`, if there is one.
    fn turn_of(&self, isolate: IsolateId) -> Option<EntryId> {
        let share = |share: &&Share| share.isolate.isolate() == isolate;
        self.isolates.iter().find(share).map(|share| share.turn)
    }

    /// Takes `isolate` out of the run.
    fn take(&mut self, isolate: IsolateId) -> Option<Share> {
        let is_its = |share: &Share| share.isolate.isolate() == isolate;
        let at = self.isolates.iter().position(is_its)?;
        Some(self.isolates.remove(at))
    }
}
