//! A host with a simulated engine, both of which the tests of the scope stack drive step by step.

use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::detect::stack::{LateHandles, Outcome, ReportRef, ScopeStack};
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

/// What the stack is told of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sees {
    pub(super) level: bool,
    pub(super) handles: bool,
}

pub(super) const ALL: Sees = Sees {
    level: true,
    handles: true,
};
pub(super) const LEVEL: Sees = Sees {
    level: true,
    handles: false,
};
pub(super) const HANDLES: Sees = Sees {
    level: false,
    handles: true,
};
pub(super) const NOTHING: Sees = Sees {
    level: false,
    handles: false,
};

pub(super) struct Host {
    pub(super) stack: ScopeStack,
    sees: Sees,
    /// The engine's open scopes, each with the handles in it. By guard, where it has one.
    scopes: Vec<(Option<EntryId>, u64)>,
    reports: usize,
    /// Handles charged to each report.
    pub(super) charged: Vec<u64>,
}

impl Host {
    pub(super) fn new(sees: Sees) -> Self {
        Self {
            stack: ScopeStack::new(),
            sees,
            scopes: Vec::new(),
            reports: 0,
            charged: Vec::new(),
        }
    }

    pub(super) fn seen(&self) -> EngineCounts {
        let level = u32::try_from(self.scopes.len()).unwrap();
        let handles = self.scopes.iter().map(|(_, handles)| handles).sum();
        EngineCounts {
            level: self.sees.level.then_some(level),
            handles: self.sees.handles.then_some(handles),
        }
    }

    pub(super) fn open(&mut self, name: &'static str) -> EntryId {
        self.open_kind(ScopeKind::HandleScope, name)
    }

    pub(super) fn open_kind(&mut self, kind: ScopeKind, name: &'static str) -> EntryId {
        if kind.holds_handles() {
            self.scopes.push((None, 0));
        }
        let (id, late) = self.stack.open_scope(kind, place(name), self.seen());
        if kind.holds_handles() {
            self.scopes.last_mut().unwrap().0 = Some(id);
        }
        self.add(late);
        id
    }

    /// Drops the guard, then the engine's scope.
    pub(super) fn close(&mut self, id: EntryId) -> Option<Finding> {
        let finding = self.stack.close_scope(id);
        self.close_in_engine(id);
        finding
    }

    /// As `mem::forget` of the guard alone.
    pub(super) fn close_in_engine(&mut self, id: EntryId) {
        self.scopes.retain(|(guard, _)| *guard != Some(id));
    }

    /// A scope that no guard tells of: the engine's own, or of code that does not use guards.
    pub(super) fn open_unseen(&mut self) {
        self.scopes.push((None, 0));
    }

    pub(super) fn close_unseen(&mut self) {
        let (guard, _) = self.scopes.pop().unwrap();
        assert_eq!(guard, None, "the innermost scope has a guard");
    }

    pub(super) fn make(&mut self, handles: u64) {
        self.scopes.last_mut().unwrap().1 += handles;
    }

    pub(super) fn begin_turn(&mut self, name: &'static str) -> EntryId {
        self.stack.begin_turn(place(name), self.seen())
    }

    pub(super) fn end_turn(&mut self, id: EntryId) -> Vec<Finding> {
        let outcome = self.stack.end_turn(id, self.seen());
        self.settle(outcome)
    }

    /// Begins a callback whose report, if there is one, is recorded nowhere.
    pub(super) fn begin(&mut self, name: &'static str) -> (EntryId, Option<Finding>) {
        self.stack.begin_callback(place(name), self.seen())
    }

    /// Begins a callback that is reported, and charges it; reports are numbered from 0.
    pub(super) fn begin_reported(&mut self, name: &'static str) -> EntryId {
        let (id, finding) = self.begin(name);
        assert!(
            matches!(finding, Some(Finding::MissingScope { .. })),
            "{finding:?}"
        );
        self.charged.push(0);
        let late = self.stack.set_report(id, ReportRef::Site(self.reports));
        self.reports += 1;
        self.add(late);
        id
    }

    pub(super) fn begin_silent(&mut self, name: &'static str) -> EntryId {
        let (id, finding) = self.begin(name);
        assert_eq!(finding, None);
        id
    }

    pub(super) fn end(&mut self, id: EntryId) -> Vec<Finding> {
        let outcome = self.stack.end_callback(id, self.seen());
        self.settle(outcome)
    }

    pub(super) fn end_isolate(&mut self) -> Vec<Finding> {
        let seen = self.seen();
        self.stack.end_isolate(seen)
    }

    fn settle(&mut self, outcome: Outcome) -> Vec<Finding> {
        self.add(outcome.late);
        outcome.findings
    }

    fn add(&mut self, late: Option<LateHandles>) {
        if let Some(LateHandles {
            report_ref,
            handles,
        }) = late
        {
            let ReportRef::Site(report) = report_ref else {
                panic!("never charged so: {report_ref:?}")
            };
            assert!(handles > 0, "a charge of no handles");
            self.charged[report] += handles;
        }
    }
}

/// A place that is told from others by its name alone.
pub(super) fn place(name: &'static str) -> Place {
    Place::here(name)
}

/// A `HandleScope` as a finding tells of it.
pub(super) fn scope(number: u64, name: &'static str, turns_ago: u64) -> ScopeRef {
    ScopeRef {
        number,
        kind: ScopeKind::HandleScope,
        place: place(name),
        turns_ago,
    }
}

pub(super) fn known(number: u64, name: &'static str, turns_ago: u64) -> Opener {
    Opener::Known(scope(number, name, turns_ago))
}

pub(super) fn turn(number: u64, name: &'static str) -> TurnRef {
    TurnRef {
        number,
        place: place(name),
        gc: None,
    }
}
