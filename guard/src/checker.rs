use crate::capture::Captured;
use crate::engine::Layer;
use crate::finding::Finding;
use crate::report::{self, Report, Site};
use crate::sites::{MAX_SITES, Recorded, Sites};
use crate::usage::{ScopeUse, Usage};
use crate::violation::Violation;
use crate::{Config, names};
use once_cell::race::OnceBox;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Configuration, site table and clock of one process; tests build their own.
pub(crate) struct Checker {
    pub(crate) config: Config,
    sites: Sites,
    pub(crate) usage: Usage,
    /// How the frames of the engine are told from the user's, once one was announced.
    layer: OnceBox<&'static Layer>,
    started: Instant,
    /// What was there at the last tick.
    ticked: Mutex<Report>,
}

impl Checker {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            sites: Sites::with_capacity(MAX_SITES),
            usage: Usage::new(),
            layer: OnceBox::new(),
            started: Instant::now(),
            ticked: Mutex::new(Report::default()),
        }
    }

    /// Counts one occurrence; `violation` is asked for if it is the first of its cause.
    pub(crate) fn record(
        &self,
        finding: &Finding,
        stack: &Captured,
        violation: impl FnOnce() -> Violation,
    ) -> Option<Recorded<'_>> {
        let recorded = self
            .sites
            .record(key(finding, stack), self.started.elapsed(), violation)?;
        self.add_handles(recorded.slot, finding.handles());
        Some(recorded)
    }

    /// Adds handles that the cause at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, handles: u64) {
        if handles > 0 {
            self.sites.add_handles(slot, handles);
        }
    }

    /// All sites and counters as they stand now.
    pub(crate) fn report(&self) -> Report {
        let mut sites: Vec<Site> = self
            .sites
            .rows()
            .map(|row| Site {
                slot: row.slot,
                violation: row.detail.violation.clone(),
                count: row.count,
                handles: row.handles,
                first: row.detail.first,
                last: row.last,
            })
            .collect();
        report::sort(&mut sites);
        Report {
            elapsed: self.started.elapsed(),
            sites,
            dropped: self.sites.dropped(),
            scopes: self.scopes(),
        }
    }

    /// The engine that the guards are of.
    pub(crate) fn announce(&self, layer: &'static Layer) {
        // Another one was first: then that is how stacks are told apart.
        let _ = self.layer.set(Box::new(layer));
    }

    fn scopes(&self) -> Vec<ScopeUse> {
        let layer = self.layer.get().copied().unwrap_or(Layer::NONE);
        let mut scopes = self.usage.rows();
        for scope in &mut scopes {
            scope.place = names::named(scope.place.without_stack(), layer);
        }
        scopes
    }

    /// What came since the last call, and all.
    pub(crate) fn tick(&self) -> (Report, Report) {
        let all = self.report();
        let mut ticked = self.ticked.lock().unwrap_or_else(PoisonError::into_inner);
        let interval = all.since(&ticked);
        ticked.clone_from(&all);
        (interval, all)
    }
}

/// What tells one cause from another.
fn key(finding: &Finding, stack: &Captured) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    finding.cause().hash(&mut hasher);
    stack.ips().hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}
