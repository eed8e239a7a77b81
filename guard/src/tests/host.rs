//! A host with a simulated engine; tests of the scope stack drive both, step by step.

use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::missing_scope::MissingScope;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::detect::stack::ScopeStack;
use crate::detect::stack::outcome::{LateHandles, Outcome, ReportRef};
use crate::engine::counters::EngineCounts;
use crate::engine::ids::EntryId;
use crate::place::Place;

/// Which counts of the engine the stack can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Readable {
    pub(crate) level: bool,
    pub(crate) handles: bool,
}

pub(crate) const ALL: Readable = Readable {
    level: true,
    handles: true,
};
pub(crate) const LEVEL: Readable = Readable {
    level: true,
    handles: false,
};
pub(crate) const HANDLES: Readable = Readable {
    level: false,
    handles: true,
};
pub(crate) const NOTHING: Readable = Readable {
    level: false,
    handles: false,
};

pub(crate) struct Host {
    pub(crate) stack: ScopeStack,
    readable: Readable,
    /// The engine's open scopes: the guard's id, if the scope has a guard, and the handles in it.
    scopes: Vec<(Option<EntryId>, u64)>,
    reports: usize,
    /// Late handles added to each report.
    pub(crate) late_handles: Vec<u64>,
}

impl Host {
    pub(crate) fn new(readable: Readable) -> Self {
        Self {
            stack: ScopeStack::new(),
            readable,
            scopes: Vec::new(),
            reports: 0,
            late_handles: Vec::new(),
        }
    }

    pub(crate) fn counts(&self) -> EngineCounts {
        let level = u32::try_from(self.scopes.len()).unwrap();
        let handles = self.scopes.iter().map(|(_, handles)| handles).sum();
        EngineCounts {
            level: self.readable.level.then_some(level),
            handles: self.readable.handles.then_some(handles),
        }
    }

    pub(crate) fn open(&mut self, name: &'static str) -> EntryId {
        self.open_kind(ScopeKind::HandleScope, name)
    }

    pub(crate) fn open_kind(&mut self, kind: ScopeKind, name: &'static str) -> EntryId {
        if kind.holds_handles() {
            self.scopes.push((None, 0));
        }
        let (id, late) = self.stack.open_scope(kind, place(name), self.counts());
        if kind.holds_handles() {
            self.scopes.last_mut().unwrap().0 = Some(id);
        }
        self.add(late);
        id
    }

    /// Drops the guard, then the engine's scope.
    pub(crate) fn close(&mut self, id: EntryId) -> Option<Finding> {
        let finding = self.stack.close_scope(id);
        self.close_in_engine(id);
        finding
    }

    /// Closes the engine's scope without its guard, as `mem::forget` of the guard does.
    pub(crate) fn close_in_engine(&mut self, id: EntryId) {
        self.scopes.retain(|(guard, _)| *guard != Some(id));
    }

    /// Opens a scope without a guard: the engine's own, or one of code that does not use guards.
    pub(crate) fn open_unrecorded(&mut self) {
        self.scopes.push((None, 0));
    }

    pub(crate) fn close_unrecorded(&mut self) {
        let (guard, _) = self.scopes.pop().unwrap();
        assert_eq!(guard, None, "the innermost scope has a guard");
    }

    pub(crate) fn make(&mut self, handles: u64) {
        self.scopes.last_mut().unwrap().1 += handles;
    }

    pub(crate) fn begin_turn(&mut self, name: &'static str) -> EntryId {
        self.stack.begin_turn(place(name), self.counts())
    }

    pub(crate) fn end_turn(&mut self, id: EntryId) -> Vec<Finding> {
        let outcome = self.stack.end_turn(id, self.counts());
        self.settle(outcome)
    }

    /// Begins a callback. Its report, if there is one, covers no handles.
    pub(crate) fn begin(&mut self, name: &'static str) -> (EntryId, Option<Finding>) {
        self.stack.begin_callback(place(name), self.counts())
    }

    /// Begins a callback that must be reported, and lets the report cover its handles. Reports are numbered from 0.
    pub(crate) fn begin_reported(&mut self, name: &'static str) -> EntryId {
        let (id, finding) = self.begin(name);
        assert!(
            matches!(finding, Some(Finding::MissingScope { .. })),
            "{finding:?}"
        );
        self.late_handles.push(0);
        let late = self.stack.set_report(id, ReportRef::Site(self.reports));
        self.reports += 1;
        self.add(late);
        id
    }

    /// Begins a callback that must not be reported.
    pub(crate) fn begin_silent(&mut self, name: &'static str) -> EntryId {
        let (id, finding) = self.begin(name);
        assert_eq!(finding, None);
        id
    }

    pub(crate) fn begin_checkpoint(&mut self, name: &'static str) -> EntryId {
        self.stack.begin_checkpoint(place(name), self.counts())
    }

    pub(crate) fn end(&mut self, id: EntryId) -> Vec<Finding> {
        let outcome = self.stack.end_callback(id, self.counts());
        self.settle(outcome)
    }

    pub(crate) fn end_isolate(&mut self) -> Vec<Finding> {
        let counts = self.counts();
        self.stack.end_isolate(counts)
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
                panic!("not set by this host: {report_ref:?}")
            };
            assert!(handles > 0, "late handles, and none of them");
            self.late_handles[report] += handles;
        }
    }
}

/// A place that differs from others by its name alone.
pub(crate) fn place(name: &'static str) -> Place {
    Place::here(name)
}

/// A `HandleScope` as a finding names it.
pub(crate) fn scope(number: u64, name: &'static str, turns_ago: u64) -> ScopeRef {
    ScopeRef {
        number,
        kind: ScopeKind::HandleScope,
        place: place(name),
        turns_ago,
    }
}

/// The same, as the scope in which handles land.
pub(crate) fn known(number: u64, name: &'static str, turns_ago: u64) -> Opener {
    Opener::Known(scope(number, name, turns_ago))
}

/// A turn of the host's loop as a finding names it.
pub(crate) fn turn(number: u64, name: &'static str) -> TurnRef {
    TurnRef {
        number,
        place: place(name),
        gc: None,
    }
}

/// The finding of `missing-scope`.
pub(crate) fn missing(
    callback: &'static str,
    opener: Opener,
    turn: Option<TurnRef>,
) -> Option<Finding> {
    Some(Finding::MissingScope(MissingScope {
        callback: place(callback),
        opener,
        turn,
    }))
}

/// The kind of the scopes that [`constructed`] opens.
pub(crate) const SCOPE: ScopeKind = ScopeKind::HandleScope;

/// The engine at `level`, with an unknown number of handles.
pub(crate) fn at_level(level: u32) -> EngineCounts {
    EngineCounts {
        level: Some(level),
        handles: None,
    }
}

/// The place of a scope or call that a hook recorded.
pub(crate) fn code(ip: usize) -> Place {
    Place::code(ip, 0)
}

/// A stack on which a hook has recorded a scope at each of `storages`, at the levels from 1 up.
pub(crate) fn constructed(storages: &[usize]) -> ScopeStack {
    let mut stack = ScopeStack::new();
    for (level, &storage) in (1..).zip(storages) {
        let counts = at_level(level);
        let reused = stack.claim_storage(SCOPE, code(storage), storage, counts);
        assert_eq!(reused, None);
        stack.construct_scope(SCOPE, code(storage), storage, counts);
    }
    stack
}
