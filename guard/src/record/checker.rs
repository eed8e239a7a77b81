//! Records the violations of one process: identifies the cause of each, counts it, and measures what that costs.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::describe::finding::Finding;
use crate::describe::violation::Violation;
use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::record::clock::Clock;
use crate::record::high_water::{HighWater, OpenerStats};
use crate::record::report;
use crate::record::report::{Cost, Report, Site};
use crate::record::sites::{Recorded, Sites};
use crate::record::slot_table::Standing;
use crate::symbolize::names;
use crate::sync::{AtomicBool, AtomicU64, OnceBox, Ordering};
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// One in this many violations of a thread is timed, if its site is known.
const SAMPLED: u32 = 64;

/// The configuration of one process, and all that it records. A test makes its own.
pub(crate) struct Checker {
    pub(crate) config: Config,
    /// See [`allows_fast_path`](Self::allows_fast_path).
    fast: bool,
    sites: Sites,
    pub(crate) high_water: HighWater,
    /// Distinguishes the engine's frames from the user's. Set once an engine has announced itself.
    classifier: OnceBox<&'static FrameClassifier>,
    clock: Clock,
    /// Stacks are walked by frame pointers.
    frame_pointers: AtomicBool,
    /// Nanoseconds spent on violations.
    spent: AtomicU64,
    /// The report of the last tick.
    ticked: ForkMutex<Report>,
}

/// What became of one occurrence.
pub(crate) struct Counted<'a> {
    /// Where it was counted; `None` if its cause has no room in the table.
    pub(crate) site: Option<Recorded<'a>>,
    /// Its stack was the first one for which frame pointers and unwind tables disagree, so that frame pointers are not used any
    /// more.
    pub(crate) gave_up_frame_pointers: bool,
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

    /// Whether the configuration has no rule that examines every scope, so that a scope may take the fast path.
    pub(crate) fn allows_fast_path(&self) -> bool {
        self.fast
    }

    /// Returns how stacks are captured.
    pub(crate) fn unwind_method(&self) -> UnwindMethod {
        if self.frame_pointers.load(Ordering::Relaxed) {
            UnwindMethod::FramePointers
        } else {
            UnwindMethod::Tables
        }
    }

    /// Walks the stack from `origin` by frame pointers and by tables, and uses frame pointers from now on if the results agree.
    pub(crate) fn probe(&self, origin: Origin) {
        let (same_stack, _) = CapturedStack::compare_methods(
            origin,
            &CapturedStack::from(origin, UnwindMethod::FramePointers),
        );
        self.frame_pointers.store(same_stack, Ordering::Relaxed);
    }

    /// Counts one occurrence, with the stack from `origin`, in the lane of the thread. Calls `violation` if it is the first of
    /// its cause.
    #[inline]
    pub(crate) fn record(
        &self,
        finding: &Finding,
        origin: Origin,
        lane: usize,
        violation: impl FnOnce(&CapturedStack) -> Violation,
    ) -> Counted<'_> {
        let unwind_method = self.unwind_method();
        let stack = CapturedStack::from(origin, unwind_method);
        let key = key(finding, &stack);
        let counted = match self.sites.standing(key) {
            Standing::Known(slot) => {
                self.sites.count(slot, lane, self.clock.now());
                Counted {
                    site: Some(Recorded { slot, new: None }),
                    gave_up_frame_pointers: false,
                }
            }
            Standing::NoRoom => {
                self.sites.drop_one(lane);
                Counted {
                    site: None,
                    gave_up_frame_pointers: false,
                }
            }
            Standing::New => {
                self.record_new(finding, origin, unwind_method, &stack, lane, violation)
            }
        };
        if let Some(site) = counted.site {
            self.add_handles(site.slot, lane, finding.handles());
        }
        counted
    }

    /// Records a stack that no site has yet. Frame pointers may have got it wrong, so it is walked by tables too.
    #[cold]
    fn record_new(
        &self,
        finding: &Finding,
        origin: Origin,
        unwind_method: UnwindMethod,
        stack: &CapturedStack,
        lane: usize,
        violation: impl FnOnce(&CapturedStack) -> Violation,
    ) -> Counted<'_> {
        let started = Instant::now();
        let mut gave_up_frame_pointers = false;
        let by_tables;
        let (stack, key) = match unwind_method {
            UnwindMethod::Tables => (stack, key(finding, stack)),
            UnwindMethod::FramePointers => {
                let (same_stack, walked) = CapturedStack::compare_methods(origin, stack);
                by_tables = walked;
                if same_stack {
                    // Under the key of the frame pointers, by which the next occurrence is looked up.
                    (&by_tables, key(finding, stack))
                } else {
                    gave_up_frame_pointers = self.frame_pointers.swap(false, Ordering::Relaxed);
                    (&by_tables, key(finding, &by_tables))
                }
            }
        };
        let now = self.clock.now();
        let site = self.sites.record(key, lane, now, || violation(stack));
        self.add_spent(started.elapsed());
        Counted {
            site,
            gave_up_frame_pointers,
        }
    }

    /// Adds handles that the cause at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        if handles > 0 {
            self.sites.add_handles(slot, lane, handles);
        }
    }

    /// Starts to time a violation of a thread that had `before` of them, if it is one of the sample: to read the clock is a good
    /// part of what a violation at a known site costs.
    #[inline]
    pub(crate) fn start_timer(&self, before: u32) -> Option<Instant> {
        before.is_multiple_of(SAMPLED).then(Instant::now)
    }

    /// Adds the time of a violation at a known site, for the whole sample. That of a new site is added where it is recorded.
    #[inline]
    pub(crate) fn stop_timer(&self, started: Option<Instant>, is_new: bool) {
        if let Some(started) = started
            && !is_new
        {
            self.add_spent(started.elapsed() * SAMPLED);
        }
    }

    fn add_spent(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Returns all sites and counters as they stand now.
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
            scopes: self.openers(),
        }
    }

    /// Sets how the engine's frames are distinguished from the user's.
    pub(crate) fn announce(&self, classifier: &'static FrameClassifier) {
        // The first engine of a process decides.
        let _ = self.classifier.set(Box::new(classifier));
    }

    fn openers(&self) -> Vec<OpenerStats> {
        let classifier = self
            .classifier
            .get()
            .copied()
            .unwrap_or(FrameClassifier::NONE);
        let mut openers = self.high_water.openers();
        for opener in &mut openers {
            opener.place = names::named(opener.place.without_stack(), classifier);
        }
        openers
    }

    /// Returns what was recorded since the last call, and all that was recorded so far.
    ///
    /// In a forked child, the first call covers the time since the parent's last one.
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

/// Identifies a cause: by what was found, and on which stack.
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

    /// Records two occurrences of one cause. Returns for each whether frame pointers were given up.
    fn record_twice(checker: &Checker) -> [bool; 2] {
        let mut gave_up = [false; 2];
        for gave_up in std::hint::black_box(&mut gave_up) {
            let keep = |stack: &CapturedStack| Violation {
                trace: Trace::keep(stack, FrameClassifier::NONE, Vec::new(), false),
                ..violation(FINDING, None)
            };
            let counted = checker.record(&FINDING, Origin::here(), 0, keep);
            *gave_up = counted.gave_up_frame_pointers;
        }
        gave_up
    }

    /// Probes in a frame of its own. A `Checker` on the stack is aligned to more than the stack is, so the compiler may give
    /// the function that holds it a frame pointer in any build.
    #[inline(never)]
    fn probe(checker: &Checker) {
        checker.probe(Origin::here());
        // `probe` is no tail call, which would leave this frame out of the stack.
        std::hint::black_box(());
    }

    #[test]
    fn frame_pointers_are_used_where_the_program_has_them() {
        let checker = Checker::new(Config::new());
        assert_eq!(checker.unwind_method(), UnwindMethod::Tables);
        probe(&checker);
        let has_them = cfg!(all(
            frame_pointers,
            target_os = "linux",
            target_arch = "x86_64"
        ));
        assert_eq!(
            checker.unwind_method() == UnwindMethod::FramePointers,
            has_them
        );
        assert_eq!(record_twice(&checker), [false, false]);
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
    fn frame_pointers_that_give_another_stack_than_the_tables_are_given_up() {
        let checker = Checker::new(Config::new());
        checker.frame_pointers.store(true, Ordering::Relaxed);
        assert_eq!(record_twice(&checker), [true, false]);
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
