use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::describe::finding::Finding;
use crate::describe::violation::Violation;
use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::react::actions;
use crate::record::clock::Clock;
use crate::record::high_water::{HighWater, OpenerStats};
use crate::record::report;
use crate::record::report::{Cost, Report, Site};
use crate::record::sites::{Recorded, Sites, Standing};
use crate::symbolize::names;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
use foldhash::fast::FixedState;
use once_cell::race::OnceBox;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of so many violations on a thread at known sites, one is measured.
const SAMPLED: u32 = 64;

/// Said where the start-up line no longer holds.
const MISSED: &str =
    "stacks are walked by unwind tables from now on, for code without frame pointers is among them";

/// Configuration, site table and clock of one process; tests build their own.
pub(crate) struct Checker {
    pub(crate) config: Config,
    /// See [`allows_fast_path`](Self::allows_fast_path).
    fast: bool,
    sites: Sites,
    pub(crate) high_water: HighWater,
    /// How the frames of the engine are told from the user's, once one was announced.
    classifier: OnceBox<&'static FrameClassifier>,
    clock: Clock,
    /// Stacks are walked by frame pointers.
    frame_pointers: AtomicBool,
    /// Nanoseconds spent on violations.
    spent: AtomicU64,
    /// What was there at the last tick.
    ticked: ForkMutex<Report>,
}

impl Checker {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            sites: Sites::with_capacity(config.sites_of()),
            fast: config.scope_budget_of().is_none()
                && config.action_of(Rule::RedundantScope) == Action::Off
                && !config.is_strict(),
            config,
            high_water: HighWater::new(),
            classifier: OnceBox::new(),
            clock: Clock::start(),
            frame_pointers: AtomicBool::new(false),
            spent: AtomicU64::new(0),
            ticked: ForkMutex::new(),
        }
    }

    /// Whether a scope on which the engine and the record agree needs no further look.
    pub(crate) fn allows_fast_path(&self) -> bool {
        self.fast
    }

    /// How stacks are captured.
    pub(crate) fn unwind_method(&self) -> UnwindMethod {
        if self.frame_pointers.load(Ordering::Relaxed) {
            UnwindMethod::FramePointers
        } else {
            UnwindMethod::Tables
        }
    }

    /// Walks the stack from `origin` by frame pointers and by tables, and goes by the former from now on if both tell the same.
    pub(crate) fn probe(&self, origin: Origin) {
        let (same_stack, _) = CapturedStack::compare_methods(
            origin,
            &CapturedStack::from(origin, UnwindMethod::FramePointers),
        );
        self.frame_pointers.store(same_stack, Ordering::Relaxed);
    }

    /// Counts one occurrence, with the stack from `origin`, in the lane of the thread; `violation` is asked for if it is the first
    /// of its cause.
    #[inline]
    pub(crate) fn record(
        &self,
        finding: &Finding,
        origin: Origin,
        lane: usize,
        violation: impl FnOnce(&CapturedStack) -> Violation,
    ) -> Option<Recorded<'_>> {
        let unwind_method = self.unwind_method();
        let stack = CapturedStack::from(origin, unwind_method);
        let key = key(finding, &stack);
        let recorded = match self.sites.standing(key) {
            Standing::Known(slot) => {
                self.sites.count(slot, lane, self.clock.now());
                Recorded { slot, new: None }
            }
            Standing::NoRoom => {
                self.sites.drop_one(lane);
                return None;
            }
            Standing::New => {
                self.record_new(finding, origin, unwind_method, &stack, lane, violation)?
            }
        };
        self.add_handles(recorded.slot, lane, finding.handles());
        Some(recorded)
    }

    /// A stack that frame pointers have not told of before is one that they may have got wrong.
    #[cold]
    fn record_new(
        &self,
        finding: &Finding,
        origin: Origin,
        unwind_method: UnwindMethod,
        stack: &CapturedStack,
        lane: usize,
        violation: impl FnOnce(&CapturedStack) -> Violation,
    ) -> Option<Recorded<'_>> {
        let watch = Instant::now();
        let by_tables;
        let (stack, key) = match unwind_method {
            UnwindMethod::Tables => (stack, key(finding, stack)),
            UnwindMethod::FramePointers => {
                let (same_stack, flushed_up_to) = CapturedStack::compare_methods(origin, stack);
                by_tables = flushed_up_to;
                if same_stack {
                    (&by_tables, key(finding, stack))
                } else {
                    if self.frame_pointers.swap(false, Ordering::Relaxed) {
                        actions::notice(tracing::Level::INFO, MISSED);
                    }
                    (&by_tables, key(finding, &by_tables))
                }
            }
        };
        let now = self.clock.now();
        let recorded = self.sites.record(key, lane, now, || violation(stack));
        self.add_spent(watch.elapsed());
        recorded
    }

    /// Adds handles that the cause at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        if handles > 0 {
            self.sites.add_handles(slot, lane, handles);
        }
    }

    /// Begins to measure what a violation costs, where the thread had `before` of them: reading the clock is a good part of
    /// what one at a known site takes.
    #[inline]
    pub(crate) fn start_timer(&self, before: u32) -> Option<Instant> {
        before.is_multiple_of(SAMPLED).then(Instant::now)
    }

    /// Adds what it took, for all that are not measured too; what is new is measured where it is recorded.
    #[inline]
    pub(crate) fn stop_timer(&self, watch: Option<Instant>, is_new: bool) {
        if let Some(watch) = watch
            && !is_new
        {
            self.add_spent(watch.elapsed() * SAMPLED);
        }
    }

    fn add_spent(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanos, Ordering::Relaxed);
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
            elapsed: self.clock.now(),
            cost: Cost {
                spent: Duration::from_nanos(self.spent.load(Ordering::Relaxed)),
                kept: sites.len(),
                room: self.sites.capacity(),
            },
            sites,
            dropped: self.sites.dropped(),
            scopes: self.scopes(),
        }
    }

    /// The engine that the guards are of.
    pub(crate) fn announce(&self, classifier: &'static FrameClassifier) {
        // Another one was first: then that is how stacks are told apart.
        let _ = self.classifier.set(Box::new(classifier));
    }

    fn scopes(&self) -> Vec<OpenerStats> {
        let classifier = self
            .classifier
            .get()
            .copied()
            .unwrap_or(FrameClassifier::NONE);
        let mut scopes = self.high_water.rows();
        for scope in &mut scopes {
            scope.place = names::named(scope.place.without_stack(), classifier);
        }
        scopes
    }

    /// What came since the last call, and all.
    pub(crate) fn tick(&self) -> (Report, Report) {
        let all = self.report();
        let interval = self.ticked.with(|ticked| {
            let interval = all.since(ticked);
            ticked.clone_from(&all);
            interval
        });
        (interval, all)
    }
}

/// What tells one cause from another.
#[inline]
fn key(finding: &Finding, stack: &CapturedStack) -> NonZeroU64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    finding.cause().hash(&mut hasher);
    stack.ips().hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::describe::rules::out_of_order::ClosedTwice;
    use crate::symbolize::trace::Trace;
    use crate::tests::violation;

    const FINDING: Finding = Finding::ClosedTwice(ClosedTwice { number: Some(7) });

    /// Two occurrences of one cause.
    fn record_twice(checker: &Checker) {
        for _ in 0..std::hint::black_box(2) {
            let keep = |stack: &CapturedStack| Violation {
                trace: Trace::keep(stack, crate::FrameClassifier::NONE, Vec::new(), false),
                ..violation(FINDING, None)
            };
            checker.record(&FINDING, Origin::here(), 0, keep);
        }
    }

    #[test]
    fn frame_pointers_are_used_where_the_program_has_them() {
        let checker = Checker::new(Config::new());
        assert_eq!(checker.unwind_method(), UnwindMethod::Tables);
        checker.probe(Origin::here());
        let has_them = cfg!(all(
            frame_pointers,
            target_os = "linux",
            target_arch = "x86_64"
        ));
        assert_eq!(
            checker.unwind_method() == UnwindMethod::FramePointers,
            has_them
        );
        record_twice(&checker);
        assert_eq!(
            checker.unwind_method() == UnwindMethod::FramePointers,
            has_them
        );
        let report = checker.report();
        assert_eq!(report.sites().len(), 1);
        assert_eq!(report.sites()[0].count(), 2);
    }

    #[test]
    #[cfg(all(not(frame_pointers), target_os = "linux", target_arch = "x86_64"))]
    fn frame_pointers_that_tell_another_stack_than_the_tables_are_given_up() {
        let checker = Checker::new(Config::new());
        checker.frame_pointers.store(true, Ordering::Relaxed);
        record_twice(&checker);
        assert_eq!(checker.unwind_method(), UnwindMethod::Tables);
        let report = checker.report();
        assert_eq!(
            report.sites().len(),
            1,
            "the first is counted where the second is"
        );
        assert_eq!(report.sites()[0].count(), 2);
        let frames = report.sites()[0].violation().trace().frames();
        assert!(frames[0].function.contains("record_twice"), "{frames:#?}");
    }

    #[test]
    fn a_full_table_counts_what_it_drops_and_says_how_full_it_is() {
        let checker = Checker::new(Config::new().sites(std::num::NonZeroU16::MIN));
        record_twice(&checker);
        // From another place: another cause.
        checker.record(&FINDING, Origin::here(), 0, |_| violation(FINDING, None));
        let report = checker.report();
        assert_eq!((report.violations(), report.dropped()), (3, 1));
        assert_eq!((report.cost().kept(), report.cost().room()), (1, 1));
    }
}
