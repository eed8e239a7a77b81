//! Records the violations of one process: identifies the cause of each, counts it, and measures what that costs.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::describe::finding::Finding;
use crate::describe::rules::outer_growth::OuterGrowth;
use crate::describe::violation::Violation;
use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::record::clock::Clock;
use crate::record::high_water::{self, HighWater, OpenerStats};
use crate::record::profile::Profile;
use crate::record::report;
use crate::record::report::{Cost, Report, Site};
use crate::record::sites::{First, Granularity, Recorded, Row, Sites};
use crate::record::slot_table::{self, Standing};
use crate::record::ticked::Ticked;
use crate::record::watch::{Watch, Watching};
use crate::symbolize::names;
use crate::sync::{AtomicBool, AtomicU64, OnceBox, Ordering};
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One in this many violations of a thread is timed, if its site is known.
const SAMPLED: u32 = 64;

/// The time between two ticks where there are no periodic reports.
const UNREPORTED_TICK: Duration = Duration::from_secs(10);

/// The configuration of one process, and all that it records. A test makes its own.
pub(crate) struct Checker {
    pub(crate) config: Config,
    /// See [`allows_fast_path`](Self::allows_fast_path).
    fast: bool,
    /// Made at the first violation.
    sites: OnceBox<Sites>,
    pub(crate) high_water: HighWater,
    pub(crate) profile: Profile,
    /// Distinguishes the engine's frames from the user's. Set once an engine has announced itself.
    classifier: OnceBox<&'static FrameClassifier>,
    clock: Clock,
    /// Who makes the handles that turns leave.
    pub(crate) watch: Watch,
    /// Stacks are walked by frame pointers.
    frame_pointers: AtomicBool,
    /// Nanoseconds spent on violations.
    spent: AtomicU64,
    /// The counts at the last tick.
    ticked: ForkMutex<Ticked>,
    /// Called after each violation whose action is `log`.
    wake: fn(Logging),
}

/// What a violation whose action is `log` needs of whoever logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Logging {
    /// Its site is known: it is part of the next periodic report.
    Later,
    /// Its site is new.
    Soon,
    /// Its site is new, and the process may end: it has to be logged before the violating thread goes on.
    Now,
}

/// What became of one occurrence.
pub(crate) struct Counted {
    pub(crate) recorded: Recorded,
    /// Its stack was the first one for which frame pointers and unwind tables disagree, so that frame pointers are not used any
    /// more.
    pub(crate) gave_up_frame_pointers: bool,
}

/// A violation to be recorded.
#[derive(Clone, Copy)]
pub(crate) struct Occurrence<'a> {
    pub(crate) finding: &'a Finding,
    /// Where its stack begins.
    pub(crate) origin: Origin,
    /// The lane of its thread.
    pub(crate) lane: usize,
}

impl Checker {
    /// Creates the checker. `wake` is called after each violation whose action is `log`, on its thread.
    pub(crate) fn new(config: Config, wake: fn(Logging)) -> Self {
        let watching = Watching::with(config.action_of(Rule::OuterGrowth));
        Self {
            sites: OnceBox::new(),
            fast: config.scope_budget_of().is_none()
                && config.action_of(Rule::RedundantScope) == Action::Off
                && !config.is_strict(),
            config,
            high_water: HighWater::new(),
            profile: Profile::new(),
            classifier: OnceBox::new(),
            clock: Clock::start(),
            watch: Watch::new(watching),
            frame_pointers: AtomicBool::new(false),
            spent: AtomicU64::new(0),
            ticked: ForkMutex::new(),
            wake,
        }
    }

    /// The site table.
    #[inline]
    pub(crate) fn sites(&self) -> &Sites {
        self.sites
            .get_or_init(|| Box::new(Sites::with_capacity(self.config.sites_of())))
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
        let same_stack = CapturedStack::methods_agree(origin);
        self.frame_pointers.store(same_stack, Ordering::Relaxed);
    }

    /// Returns the time since the start, and the time between two ticks of what is judged at ticks.
    pub(crate) fn tick_clock(&self) -> (Duration, Duration) {
        let tick = match self.config.tick_interval() {
            Duration::ZERO => UNREPORTED_TICK,
            tick => tick,
        };
        (self.clock.now(), tick)
    }

    /// Counts one occurrence. Calls `first` if it is the first of its cause.
    #[inline]
    pub(crate) fn record(
        &self,
        occurrence: Occurrence<'_>,
        first: impl FnOnce(&CapturedStack) -> First,
    ) -> Counted {
        let Occurrence {
            finding,
            origin,
            lane,
        } = occurrence;
        let unwind_method = self.unwind_method();
        let stack = CapturedStack::from(origin, unwind_method);
        let key = key(finding, &stack);
        let counted = match self.sites().standing(Granularity::Stack, key) {
            Standing::Known(slot) => Counted {
                recorded: self.count(slot, lane),
                gave_up_frame_pointers: false,
            },
            Standing::NoRoom => Counted {
                recorded: self.record_merged(occurrence, &stack, first),
                gave_up_frame_pointers: false,
            },
            Standing::New => self.record_new(occurrence, unwind_method, &stack, first),
        };
        self.add_handles(counted.recorded.slot, lane, finding.handles());
        counted
    }

    #[inline]
    fn count(&self, slot: usize, lane: usize) -> Recorded {
        self.sites().count(slot, lane, self.clock.now());
        Recorded {
            slot,
            is_new: false,
        }
    }

    /// Records a stack that no site has yet. Frame pointers may have got it wrong, so it is walked by tables too.
    #[cold]
    fn record_new(
        &self,
        occurrence: Occurrence<'_>,
        unwind_method: UnwindMethod,
        stack: &CapturedStack,
        first: impl FnOnce(&CapturedStack) -> First,
    ) -> Counted {
        let Occurrence {
            finding,
            origin,
            lane,
        } = occurrence;
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
        // Another thread may take the last room meanwhile, so `first` may be needed twice.
        let mut first = Some(first);
        let mut describe = || (first.take().expect("called once"))(stack);
        let now = self.clock.now();
        let recorded = self
            .sites()
            .record(Granularity::Stack, key, lane, now, &mut describe)
            .unwrap_or_else(|| self.record_coarser(occurrence, &mut describe));
        self.add_spent(started.elapsed());
        Counted {
            recorded,
            gave_up_frame_pointers,
        }
    }

    /// Records a cause that has no room by its stack.
    fn record_merged(
        &self,
        occurrence: Occurrence<'_>,
        stack: &CapturedStack,
        first: impl FnOnce(&CapturedStack) -> First,
    ) -> Recorded {
        let mut first = Some(first);
        self.record_coarser(occurrence, &mut || {
            (first.take().expect("called once"))(stack)
        })
    }

    /// Counts an occurrence by its places, or by its rule where there is no room by its places.
    fn record_coarser(
        &self,
        Occurrence { finding, lane, .. }: Occurrence<'_>,
        first: &mut dyn FnMut() -> First,
    ) -> Recorded {
        let mut granularity = Granularity::Stack;
        while let Some(coarser) = granularity.coarser() {
            granularity = coarser;
            let key = match granularity {
                Granularity::Rule => hash(&finding.rule()),
                _ => hash(&finding.cause()),
            };
            match self.sites().standing(granularity, key) {
                Standing::Known(slot) => return self.count(slot, lane),
                Standing::NoRoom => {}
                Standing::New => {
                    let now = self.clock.now();
                    if let Some(recorded) =
                        self.sites()
                            .record(granularity, key, lane, now, &mut *first)
                    {
                        return recorded;
                    }
                }
            }
        }
        unreachable!("[handleguard internal bug] no room for a rule")
    }

    /// Adds handles that the cause at `slot` was found to have left.
    pub(crate) fn add_handles(&self, slot: usize, lane: usize, handles: u64) {
        if handles > 0 {
            self.sites().add_handles(slot, lane, handles);
        }
    }

    /// Time since the checker's start.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Counts one more occurrence of the cause at `slot`, which left that many handles.
    pub(crate) fn count_again(&self, slot: usize, lane: usize, handles: u64) {
        self.count(slot, lane);
        self.add_handles(slot, lane, handles);
    }

    /// Has the violation logged that was recorded just now; before this thread goes on, if it is the first and `is_urgent`.
    #[inline]
    pub(crate) fn log(&self, recorded: Recorded, is_urgent: impl FnOnce() -> bool) {
        (self.wake)(match recorded.is_new {
            false => Logging::Later,
            true if is_urgent() => Logging::Now,
            true => Logging::Soon,
        });
    }

    /// Whether a site, or the makers of one, wait to be logged.
    pub(crate) fn has_unlogged(&self) -> bool {
        self.sites().has_unlogged() || self.watch.has_news()
    }

    /// Has the makers logged that were seen just now.
    pub(crate) fn log_news(&self) {
        (self.wake)(Logging::Soon);
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

    /// Returns all sites and counters as they stand now. Slow: names the places.
    pub(crate) fn report(&self) -> Report {
        let mut sites: Vec<Site> = self.sites().rows().map(|row| self.site(row)).collect();
        report::sort(&mut sites);
        Report {
            elapsed: self.clock.now(),
            cost: Cost {
                spent: Duration::from_nanos(self.spent.load(Ordering::Relaxed)),
                kept: sites.iter().filter(|site| !site.is_merged()).count(),
                room: self.sites().capacity(),
            },
            sites,
            dropped: self.sites().dropped(),
            scopes: self.openers(),
            profile: self.profile.scopes(self.classifier()),
            unprofiled: self.profile.dropped(),
        }
    }

    /// Returns one site as a report has it.
    pub(crate) fn site(&self, row: Row<'_>) -> Site {
        Site {
            slot: row.slot,
            merged: row.granularity != Granularity::Stack,
            violation: self.described(&row),
            count: row.count,
            handles: row.handles,
            first: row.detail.at,
            last: row.last,
        }
    }

    /// Returns the first occurrence at a site, named, with all makers that were seen there since. Slow, as [`report`](Self::report).
    pub(crate) fn described(&self, row: &Row<'_>) -> Arc<Violation> {
        let makers = self.watch.makers_of(row.slot);
        if makers.is_empty() || row.detail.makers() == makers {
            return Arc::clone(row.detail.named());
        }
        let made = row.detail.named().made_by(makers);
        Arc::new(made.named().unwrap_or(made))
    }

    /// Keeps who made the handles of `finding`, which was recorded just now, or watches the next turns of its place to see it.
    /// `logs`: the site is to be logged. Returns whether makers were seen that the log has not.
    #[inline]
    pub(crate) fn learn(&self, recorded: Recorded, finding: &Finding, logs: bool) -> bool {
        let Finding::OuterGrowth(OuterGrowth { turn, makers, .. }) = finding else {
            return false;
        };
        if recorded.is_new {
            self.watch.suspect(turn.place);
        }
        let is_logged = logs && !recorded.is_new;
        !makers.is_empty()
            && self
                .watch
                .see(turn.place, recorded.slot, *makers, is_logged)
    }

    /// Sets how the engine's frames are distinguished from the user's.
    pub(crate) fn announce(&self, classifier: &'static FrameClassifier) {
        // The first engine of a process decides.
        let _ = self.classifier.set(Box::new(classifier));
    }

    fn classifier(&self) -> &'static FrameClassifier {
        let classifier = self.classifier.get().copied();
        classifier.unwrap_or(FrameClassifier::NONE)
    }

    fn openers(&self) -> Vec<OpenerStats> {
        let classifier = self.classifier();
        let mut openers = self.high_water.openers();
        for opener in &mut openers {
            opener.place = names::named(opener.place.without_stack(), classifier);
        }
        high_water::merge(openers)
    }

    /// Returns what was recorded since the last call, and all that was recorded so far.
    ///
    /// In a forked child, the first call covers the time since the parent's last one.
    pub(crate) fn tick(&self) -> (Report, Report) {
        let all = self.report();
        let interval = self.ticked.with(|ticked| ticked.replace(&all));
        (interval, all)
    }
}

/// Identifies a cause: by what was found, and on which stack. Code that the program made while it ran is left out of the
/// stack: the same function has another address each time it is compiled.
#[inline]
fn key(finding: &Finding, stack: &CapturedStack) -> NonZeroU64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    finding.cause().hash(&mut hasher);
    stack.hash_loaded(&mut hasher);
    slot_table::key(&hasher)
}

fn hash(value: &impl Hash) -> NonZeroU64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    value.hash(&mut hasher);
    slot_table::key(&hasher)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::describe::ended::Ended;
    use crate::describe::makers::Makers;
    use crate::describe::opener::Opener;
    use crate::describe::rules::out_of_order::ClosedTwice;
    use crate::describe::turn::TurnRef;
    use crate::place::Place;
    use crate::symbolize::trace::Trace;
    use crate::tests::violation;

    const FINDING: Finding = Finding::ClosedTwice(ClosedTwice { number: 7 });

    fn checker(config: Config) -> Checker {
        Checker::new(config, |_| ())
    }

    fn occurrence(finding: &Finding, origin: Origin) -> Occurrence<'_> {
        Occurrence {
            finding,
            origin,
            lane: 0,
        }
    }

    fn first(violation: Violation) -> First {
        First {
            violation,
            to_log: None,
            generation: 0,
        }
    }

    /// Records two occurrences of one cause. Returns for each whether frame pointers were given up.
    fn record_twice(checker: &Checker) -> [bool; 2] {
        let mut gave_up = [false; 2];
        // A slice of any length: the loop must not be unrolled, for each copy of the call would be another stack.
        for gave_up in std::hint::black_box(&mut gave_up[..]) {
            let keep = |stack: &CapturedStack| {
                let trace = Trace::keep(stack, FrameClassifier::NONE, Vec::new(), false);
                first(Violation {
                    trace: Arc::new(trace),
                    ..violation(FINDING, None)
                })
            };
            let counted = checker.record(occurrence(&FINDING, Origin::here()), keep);
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
        let checker = checker(Config::new());
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
        let checker = checker(Config::new());
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

    /// A turn at the code address `ip` that left five handles.
    fn growth(ip: usize) -> Finding {
        Finding::OuterGrowth(OuterGrowth {
            ended: Ended::Turn,
            opener: Opener::Nothing,
            turn: TurnRef {
                number: 1,
                place: Place::code(ip, 0),
                gc: None,
            },
            grown: 5,
            makers: Makers::default(),
        })
    }

    #[test]
    fn a_full_table_goes_on_by_place_and_by_rule() {
        let checker = checker(Config::new().sites(std::num::NonZeroU16::MIN));
        record_twice(&checker);
        let record = |finding: &Finding| {
            let kept = violation(*finding, None);
            checker.record(occurrence(finding, Origin::here()), |_| first(kept))
        };
        // From another place: another cause.
        assert!(record(&FINDING).recorded.is_new, "the first by place");
        assert!(!record(&FINDING).recorded.is_new);
        assert!(record(&growth(1)).recorded.is_new, "another rule");
        let report = checker.report();
        assert_eq!((report.violations(), report.dropped()), (5, 3));
        assert_eq!((report.cost().kept(), report.cost().room()), (1, 1));
        let rows: Vec<_> = report
            .sites()
            .iter()
            .map(|site| (site.violation().rule(), site.count(), site.is_merged()))
            .collect();
        assert_eq!(
            rows,
            [
                (Rule::OutOfOrder, 2, false),
                (Rule::OutOfOrder, 2, true),
                (Rule::OuterGrowth, 1, true)
            ]
        );
        assert_eq!(report.sites()[2].handles(), 5);
    }

    #[test]
    fn there_is_room_for_each_rule_whatever_the_places() {
        let checker = checker(Config::new().sites(std::num::NonZeroU16::MIN));
        for ip in 1..=1000 {
            let finding = growth(ip);
            checker.record(occurrence(&finding, Origin::here()), |_| {
                first(violation(finding, None))
            });
        }
        let last = checker.record(occurrence(&FINDING, Origin::here()), |_| {
            first(violation(FINDING, None))
        });
        assert!(last.recorded.is_new, "the first of its rule");
        let report = checker.report();
        assert_eq!((report.violations(), report.dropped()), (1001, 1000));
        let by_rule = report.sites().iter().filter(|site| site.count() > 1);
        assert_eq!(by_rule.count(), 1, "those without room by place share one");
    }

    #[test]
    fn a_tick_has_what_is_new() {
        let checker = checker(Config::new());
        assert!(!checker.sites().take_changed(), "nothing yet");
        record_twice(&checker);
        assert!(checker.sites().take_changed(), "two occurrences");
        let (interval, all) = checker.tick();
        assert_eq!((interval.violations(), all.violations()), (2, 2));
        assert!(!checker.sites().take_changed(), "nothing since");
        record_twice(&checker);
        let (interval, all) = checker.tick();
        assert_eq!((interval.violations(), all.violations()), (2, 4));
    }
}
