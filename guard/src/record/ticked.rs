//! The counts at the last tick, from which the next one works out what is new.

use crate::record::report::{self, Cost, Report, Site};
use std::time::Duration;

/// What a report counted: a few bytes for each site.
#[derive(Default)]
pub(crate) struct Ticked {
    elapsed: Duration,
    spent: Duration,
    dropped: u64,
    /// Occurrences and handles, by slot.
    counts: Vec<(u64, u64)>,
}

impl Ticked {
    /// Returns what is new in `all`, and keeps the counts of `all`.
    pub(crate) fn replace(&mut self, all: &Report) -> Report {
        let mut sites: Vec<Site> = Vec::new();
        for site in &all.sites {
            if self.counts.len() <= site.slot {
                self.counts.resize(site.slot + 1, (0, 0));
            }
            let before = std::mem::replace(&mut self.counts[site.slot], (site.count, site.handles));
            sites.extend(site.since(before));
        }
        report::sort(&mut sites);
        let interval = Report {
            elapsed: all.elapsed.saturating_sub(self.elapsed),
            sites,
            dropped: all.dropped.saturating_sub(self.dropped),
            scopes: all.scopes.clone(),
            profile: all.profile.clone(),
            unprofiled: all.unprofiled,
            cost: Cost {
                spent: all.cost.spent.saturating_sub(self.spent),
                ..all.cost
            },
        };
        self.elapsed = all.elapsed;
        self.spent = all.cost.spent;
        self.dropped = all.dropped;
        interval
    }
}

impl Report {
    /// Returns what is new in this report since `earlier`, a report of the same process.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut ticked = Ticked::default();
        ticked.replace(earlier);
        ticked.replace(self)
    }
}
