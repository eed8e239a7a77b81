//! Random programs on the scope stack, each step compared with a model.
//!
//! The model keeps a list of everything that was ever opened, and computes each answer from the whole list. It shares no code
//! with the stack, and has no depth, no barrier and no late handles.

use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::scope::ScopeKind;
use crate::detect::stack::ScopeStack;
use crate::detect::stack::outcome::{LateHandles, Outcome, ReportRef};
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;
use proptest::prelude::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Scope(ScopeKind),
    /// A scope of the engine without a guard.
    Unrecorded,
    Callback,
    Turn,
}

/// One step of a program. A step that is not possible at the moment does nothing.
#[derive(Clone, Copy, Debug)]
enum Op {
    Open(What),
    /// Ends the innermost of what is open, as its guard's drop would.
    End,
    /// Ends any of what is open: out of order, unless it is the innermost.
    EndAny(prop::sample::Index),
    /// Forgets the innermost of what is open, as `mem::forget` does: it never ends, nor does the engine's scope.
    Forget,
    /// Forgets the guard of the innermost scope, and closes the engine's.
    ForgetGuard,
    /// Ends something a second time.
    EndAgain(prop::sample::Index),
    Make(u8),
    /// Closes the innermost scope if it is an escapable one, which leaves one handle to its parent.
    Escape,
}

/// Anything that was ever opened.
#[derive(Debug)]
struct Entry {
    what: What,
    id: Option<EntryId>,
    /// Whether the program can still end it.
    held: bool,
    /// Whether the scope stack must have it open.
    recorded: bool,
    /// Whether the engine has it open as a handle scope.
    in_engine: bool,
    /// The scope stack dropped it before its end, and its end has not come yet.
    lost: bool,
    /// A turn that it was opened in ended before it.
    outlived_its_turn: bool,
    handles: u64,
}

/// The handles of the outermost turn.
#[derive(Default, Debug)]
struct Tally {
    /// Handles in findings and late handles.
    reported: u64,
    /// Handles created while no scope of the turn was open.
    made: u64,
}

struct Program {
    stack: ScopeStack,
    entries: Vec<Entry>,
    level_known: bool,
    handles_known: bool,
    /// Every n-th report covers no handles, as if it were recorded nowhere; 0 for none.
    unrecorded: usize,
    reports: usize,
    tally: Option<Tally>,
    /// Something is out of order or was never closed, so the numbers of handles cannot be predicted any more.
    disorder: bool,
}

fn place() -> Place {
    Place::here(None)
}

impl Program {
    fn new(level_known: bool, handles_known: bool, unrecorded: usize) -> Self {
        Self {
            stack: ScopeStack::new(),
            entries: Vec::new(),
            level_known,
            handles_known,
            unrecorded,
            reports: 0,
            tally: None,
            disorder: false,
        }
    }

    fn counts(&self) -> EngineCounts {
        let open = self.entries.iter().filter(|entry| entry.in_engine);
        EngineCounts {
            level: self
                .level_known
                .then(|| u32::try_from(open.clone().count()).unwrap()),
            handles: self
                .handles_known
                .then(|| open.map(|entry| entry.handles).sum()),
        }
    }

    // The answers of the model.

    fn innermost_turn(&self) -> Option<usize> {
        self.entries
            .iter()
            .rposition(|entry| entry.what == What::Turn && entry.recorded)
    }

    fn since_turn(&self) -> &[Entry] {
        &self.entries[self.innermost_turn().map_or(0, |turn| turn + 1)..]
    }

    fn depth(&self) -> usize {
        let counts = |entry: &&Entry| {
            entry.recorded
                && matches!(
                    entry.what,
                    What::Scope(ScopeKind::HandleScope | ScopeKind::EscapableHandleScope)
                )
        };
        self.since_turn().iter().filter(counts).count()
    }

    /// Whether the engine has no scope open that belongs to the turn: one that was opened since the turn began, and not in a
    /// turn inside it that has ended.
    fn bare(&self) -> bool {
        !self
            .since_turn()
            .iter()
            .any(|entry| entry.in_engine && !entry.outlived_its_turn)
    }

    fn misses_a_scope(&self) -> bool {
        match (self.level_known, self.innermost_turn()) {
            (true, Some(_)) => self.bare(),
            (true, None) => !self.entries.iter().any(|entry| entry.in_engine),
            (false, _) => {
                self.depth() == 0
                    && !self
                        .since_turn()
                        .iter()
                        .any(|entry| entry.recorded && entry.what == What::Callback)
            }
        }
    }

    fn is_recorded_inside(&self, outer: usize, what: impl Fn(What) -> bool) -> bool {
        self.entries[outer + 1..]
            .iter()
            .any(|entry| entry.recorded && what(entry.what))
    }

    // The steps of the program.

    fn step(&mut self, op: Op) {
        match op {
            Op::Open(what) => self.open(what),
            Op::End => {
                // If a scope without a guard closes below an open turn, neither the record nor the level shows which one it
                // was.
                if let Some(at) = self.entries.iter().rposition(|entry| entry.held)
                    && !(self.entries[at].what == What::Unrecorded
                        && self.is_recorded_inside(at, |what| what == What::Turn))
                {
                    self.end(at);
                }
            }
            Op::EndAny(index) => {
                let held: Vec<usize> = (0..self.entries.len())
                    .filter(|&at| {
                        self.entries[at].held && self.entries[at].what != What::Unrecorded
                    })
                    .collect();
                if !held.is_empty() {
                    let at = *index.get(&held);
                    self.disorder |= Some(&at) != held.last();
                    // The engine closes scopes in order, so it cannot close this one around a scope without a guard.
                    if !self.entries[at + 1..]
                        .iter()
                        .any(|entry| entry.held && entry.what == What::Unrecorded)
                    {
                        self.end(at);
                    }
                }
            }
            Op::Forget => {
                if let Some(at) = self.entries.iter().rposition(|entry| entry.held) {
                    self.entries[at].held = false;
                    self.disorder = true;
                }
            }
            Op::ForgetGuard => {
                if let Some(at) = self.entries.iter().rposition(|entry| entry.held)
                    && matches!(self.entries[at].what, What::Scope(_))
                    && self.entries[at].recorded
                    && !self.is_recorded_inside(at, |what| what == What::Turn)
                {
                    self.entries[at].held = false;
                    self.entries[at].in_engine = false;
                    self.disorder = true;
                }
            }
            Op::EndAgain(index) => {
                let ended: Vec<EntryId> = self
                    .entries
                    .iter()
                    .filter(|entry| {
                        !entry.held
                            && !entry.recorded
                            && !entry.in_engine
                            && matches!(entry.what, What::Scope(kind) if kind.holds_handles())
                    })
                    .filter_map(|entry| entry.id)
                    .collect();
                if !ended.is_empty() && !self.disorder {
                    let finding = self.stack.close_scope(*index.get(&ended));
                    assert!(
                        matches!(finding, Some(Finding::ClosedTwice { .. })),
                        "{finding:?}"
                    );
                }
            }
            Op::Make(handles) => self.make(u64::from(handles)),
            Op::Escape => {
                if let Some(at) = self.entries.iter().rposition(|entry| entry.held)
                    && self.entries[at].what == What::Scope(ScopeKind::EscapableHandleScope)
                {
                    self.end(at);
                    self.make(1);
                }
            }
        }
        assert_eq!(self.stack.depth() as usize, self.depth());
        assert_eq!(
            self.stack.is_empty(),
            !self
                .entries
                .iter()
                .any(|entry| entry.recorded && entry.what != What::Unrecorded)
        );
        assert_eq!(
            self.stack.exposed(self.counts().level),
            self.misses_a_scope()
        );
    }

    fn open(&mut self, what: What) {
        let mut entry = Entry {
            what,
            id: None,
            held: true,
            recorded: true,
            in_engine: false,
            lost: false,
            outlived_its_turn: false,
            handles: 0,
        };
        match what {
            What::Unrecorded => {
                // If the level is unknown, the stack cannot notice the scope, and differs from the model.
                if !self.level_known {
                    return;
                }
                entry.in_engine = true;
                entry.recorded = false;
                self.entries.push(entry);
            }
            What::Scope(kind) => {
                entry.in_engine = kind.holds_handles();
                self.entries.push(entry);
                let (id, late) = self.stack.open_scope(kind, place(), self.counts());
                self.add_late(late);
                self.entries.last_mut().unwrap().id = Some(id);
            }
            What::Callback => {
                let expected = self.misses_a_scope();
                let (id, finding) = self.stack.begin_callback(place(), self.counts());
                assert_eq!(
                    matches!(finding, Some(Finding::MissingScope { .. })),
                    expected
                );
                entry.id = Some(id);
                self.entries.push(entry);
                if finding.is_some() {
                    self.reports += 1;
                    if self.unrecorded == 0 || !self.reports.is_multiple_of(self.unrecorded) {
                        let late = self.stack.set_report(id, ReportRef::Site(self.reports));
                        self.add_late(late);
                    }
                }
            }
            What::Turn => {
                // If the level is unknown, the handles of a turn inside a callback cannot be attributed.
                if !self.level_known
                    && self
                        .entries
                        .iter()
                        .any(|entry| entry.recorded && entry.what == What::Callback)
                {
                    return;
                }
                if self.innermost_turn().is_none() {
                    self.tally = Some(Tally::default());
                }
                entry.id = Some(self.stack.begin_turn(place(), self.counts()));
                self.entries.push(entry);
            }
        }
    }

    fn make(&mut self, handles: u64) {
        let bare = self.bare();
        let Some(innermost) = self.entries.iter_mut().rfind(|entry| entry.in_engine) else {
            return;
        };
        innermost.handles += handles;
        if bare && let Some(tally) = &mut self.tally {
            tally.made += handles;
        }
    }

    fn end(&mut self, at: usize) {
        self.entries[at].held = false;
        let Some(id) = self.entries[at].id else {
            self.entries[at].in_engine = false;
            return;
        };
        match self.entries[at].what {
            What::Scope(_) => self.close(at, id),
            What::Callback => {
                let outcome = self.stack.end_callback(id, self.counts());
                if self.entries[at].recorded {
                    for entry in &mut self.entries[at..] {
                        entry.recorded &= entry.what != What::Callback;
                    }
                }
                self.settle(outcome);
            }
            What::Turn => self.end_turn(at, id),
            What::Unrecorded => unreachable!("has no id"),
        }
    }

    fn close(&mut self, at: usize, id: EntryId) {
        let was_recorded = self.entries[at].recorded;
        let expected = was_recorded
            && self.is_recorded_inside(at, |what| matches!(what, What::Scope(_) | What::Turn));
        let finding = self.stack.close_scope(id);
        assert_eq!(
            matches!(finding, Some(Finding::OutOfOrder { .. })),
            expected,
            "{finding:?}"
        );
        assert_eq!(finding.is_some(), expected, "{finding:?}");
        self.entries[at].in_engine = false;
        self.entries[at].lost = false;
        if was_recorded {
            self.forget_from(at);
        }
    }

    fn end_turn(&mut self, at: usize, id: EntryId) {
        let was_recorded = self.entries[at].recorded;
        let outcome = self.stack.end_turn(id, self.counts());
        let never_closed = outcome
            .findings
            .iter()
            .filter(|finding| matches!(finding, Finding::NeverClosed { .. }))
            .count();
        let inside = &self.entries[at + 1..];
        if !was_recorded {
            assert_eq!(outcome, Outcome::default());
        } else if self.level_known {
            let leaks = |entry: &&Entry| entry.in_engine && !entry.outlived_its_turn;
            let open = inside.iter().filter(leaks).count();
            assert!(open > 0 || never_closed == 0, "{outcome:?}");
            // A scope that a close out of order left open was reported then, and the level does not show which one is open.
            let lost = inside.iter().any(|entry| entry.lost);
            assert!(
                open == 0 || never_closed > 0 || lost,
                "no finding for {inside:?}"
            );
        } else {
            let recorded = inside
                .iter()
                .filter(|entry| entry.recorded && matches!(entry.what, What::Scope(_)))
                .count();
            assert_eq!(never_closed, recorded);
        }
        if !was_recorded {
            return;
        }
        for entry in &mut self.entries[at + 1..] {
            entry.outlived_its_turn = entry.in_engine;
        }
        self.forget_from(at);
        self.settle(outcome);
        if self.innermost_turn().is_none()
            && let Some(tally) = self.tally.take()
            && self.handles_known
            && !self.disorder
        {
            assert_eq!(
                tally.reported, tally.made,
                "not every handle is reported once"
            );
        }
    }

    /// The scope stack drops this and everything that was opened later.
    fn forget_from(&mut self, at: usize) {
        for entry in &mut self.entries[at + 1..] {
            entry.lost |=
                entry.recorded && matches!(entry.what, What::Scope(kind) if kind.holds_handles());
        }
        for entry in &mut self.entries[at..] {
            entry.recorded = false;
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        for finding in outcome.findings {
            if let Finding::OuterGrowth(OuterGrowth { ended, grown, .. }) = finding {
                assert!(grown > 0);
                assert!(matches!(ended, Ended::Callback(_) | Ended::Turn));
                if let Some(tally) = &mut self.tally {
                    tally.reported += grown;
                }
            }
        }
        self.add_late(outcome.late);
    }

    fn add_late(&mut self, late: Option<LateHandles>) {
        if let (Some(LateHandles { handles, .. }), Some(tally)) = (late, &mut self.tally) {
            assert!(handles > 0);
            tally.reported += handles;
        }
    }
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => Just(What::Scope(ScopeKind::HandleScope)),
        1 => Just(What::Scope(ScopeKind::EscapableHandleScope)),
        1 => Just(What::Scope(ScopeKind::TryCatch)),
        2 => Just(What::Unrecorded),
        4 => Just(What::Callback),
        3 => Just(What::Turn),
    ]
}

/// Programs whose guards end in order.
fn orderly() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => what().prop_map(Op::Open),
        5 => Just(Op::End),
        3 => (1..5u8).prop_map(Op::Make),
        1 => Just(Op::Escape),
        1 => any::<prop::sample::Index>().prop_map(Op::EndAgain),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => orderly(),
        2 => any::<prop::sample::Index>().prop_map(Op::EndAny),
        1 => Just(Op::Forget),
        1 => Just(Op::ForgetGuard),
    ]
}

fn run(level: bool, handles: bool, unrecorded: usize, ops: &[Op]) {
    let mut program = Program::new(level, handles, unrecorded);
    // The scope of `main`, which is open until the end.
    program.open(What::Scope(ScopeKind::HandleScope));
    program.entries[0].held = false;
    for &op in ops {
        program.step(op);
    }
    if !program.disorder {
        while program.entries.iter().any(|entry| entry.held) {
            program.step(Op::End);
        }
        let id = program.entries[0].id.unwrap();
        assert_eq!(program.stack.close_scope(id), None);
        program.entries[0].in_engine = false;
    }
    let counts = program.counts();
    let findings = program.stack.end_isolate(counts);
    assert!(program.disorder || findings.is_empty(), "{findings:?}");
    assert!(program.stack.is_empty());
    assert_eq!(program.stack.depth(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn orderly_programs_are_judged_as_by_the_model(
        level in any::<bool>(),
        handles in any::<bool>(),
        unrecorded in 0..4usize,
        ops in prop::collection::vec(orderly(), 0..60),
    ) {
        run(level, handles, unrecorded, &ops);
    }

    #[test]
    fn programs_in_disorder_are_judged_as_by_the_model(
        level in any::<bool>(),
        handles in any::<bool>(),
        unrecorded in 0..4usize,
        ops in prop::collection::vec(any_op(), 0..60),
    ) {
        run(level, handles, unrecorded, &ops);
    }
}
