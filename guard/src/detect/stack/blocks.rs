//! Scopes that take block after block of the engine's handles, and the verdict of `scope-growth`.
//!
//! The engine begins a block where a scope has filled the last one (V8: 1,022 handles), so each block is a sample of who fills
//! the scope, at no cost to the code in between.

use super::ScopeStack;
use super::entry::{Entry, Kind};
use super::outcome::ReportRef;
use crate::describe::finding::Finding;
use crate::describe::rules::scope_growth::ScopeGrowth;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::detect::blocks::SAMPLED_FROM;
use crate::detect::filling::{Filling, Mark};
use crate::place::Place;
use std::time::Duration;

/// A scope whose opener has closed others is judged only once it has taken this many times the blocks of the largest of them.
const TIMES_CLOSED: usize = 8;

/// How many openers whose scopes have closed are kept.
const MAX_CLOSED: usize = 16;

impl ScopeStack {
    /// Records that the innermost scope begins a block at the time `at`, its `blocks`th in a row, with the engine at `level`. `keep`
    /// makes its opener a place that holds when the function has returned.
    ///
    /// Returns `None` before it [is sampled](SAMPLED_FROM), or if the scope at that level is not recorded: what the engine opens itself
    /// may hold as much as it likes.
    pub(crate) fn begin_block(
        &mut self,
        level: u32,
        blocks: usize,
        at: Duration,
        keep: impl FnOnce(Place) -> Place,
    ) -> Option<&mut Filling> {
        let mut scopes = self.entries.iter().rev();
        let entry = *scopes.find(|entry| entry.holds_handles())?;
        let Kind::Scope(kind) = entry.kind else {
            return None;
        };
        // A `CallbackScope` stands for a scope of the engine's own.
        if blocks < SAMPLED_FROM || entry.level != Some(level) || kind == ScopeKind::CallbackScope {
            return None;
        }
        self.forget_closed(&entry);
        let begun = self.pushed;
        let mark = Mark { begun, at };
        if self
            .fillings
            .last()
            .is_none_or(|last| last.scope != entry.id)
        {
            let place = keep(entry.place);
            self.fillings
                .push(Filling::new(entry.id, kind, place, mark));
        }
        let filling = self.fillings.last_mut()?;
        filling.begin_block(blocks, mark);
        filling.in_turns |= !self.turns.is_empty();
        Some(filling)
    }

    /// Removes scopes that have closed: those inside of `innermost`, and others that are open no more.
    fn forget_closed(&mut self, innermost: &Entry) {
        while let Some(last) = self.fillings.last()
            && (last.scope > innermost.id || !self.is_open(last.scope))
        {
            let (place, blocks) = (last.place, last.blocks);
            self.fillings.pop();
            match self.closed.iter_mut().find(|(opener, _)| *opener == place) {
                Some((_, most)) => *most = blocks.max(*most),
                None => {
                    self.closed.truncate(MAX_CLOSED - 1);
                    self.closed.insert(0, (place, blocks));
                }
            }
        }
    }

    /// Sets the report that covers further blocks of the scope that began one last.
    pub(crate) fn set_report_of_filling(&mut self, report_ref: Option<ReportRef>) {
        if let Some(filling) = self.fillings.last_mut() {
            filling.report_ref = report_ref;
            self.growth_reported |= report_ref.is_some();
        }
    }

    /// Returns the finding if a loop fills the scope that began a block last; a block holds `size` handles. `keep` makes a place of
    /// the outer frames of a stack.
    ///
    /// A scope in which a block began while a turn ran gets no verdict: `outer-growth` judges turns, to one handle.
    pub(crate) fn scope_growth(
        &self,
        size: u64,
        keep: impl FnOnce(&[usize]) -> Option<Place>,
    ) -> Option<Finding> {
        let filling = self.fillings.last()?;
        let infers_turns = |pump: super::Pump| pump.scope == filling.scope && pump.turns > 0;
        if filling.in_turns || self.pump.is_some_and(infers_turns) || !filling.is_loop() {
            return None;
        }
        let mut closed = self.closed.iter();
        let before = closed.find(|(opener, _)| *opener == filling.place);
        if before.is_some_and(|(_, most)| filling.blocks < most.saturating_mul(TIMES_CLOSED)) {
            return None;
        }
        let scope = self.scope_ref(&self.entries[self.position(filling.scope)?])?;
        let held = filling.held(size);
        let (filler, of_samples) = filling.filler().unzip();
        Some(Finding::ScopeGrowth(ScopeGrowth {
            scope: ScopeRef {
                place: filling.place,
                ..scope
            },
            held,
            begun: filling.begun(),
            lasted: filling.lasted(),
            filler,
            of_samples: of_samples.unwrap_or(0),
            samples: filling.samples(),
            inside: filling.shared_frames().and_then(keep),
        }))
    }
}
