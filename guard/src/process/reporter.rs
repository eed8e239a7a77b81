//! The thread of the checker: it logs new sites at once, and all that were violated again at each interval.
//!
//! It starts at a violation whose action is `log`, and ends after an interval without one. So a clean process has no such thread,
//! and a forked child starts its own. When the process exits, the thread logs what is left and ends.

use crate::fork::generation;
use crate::fork::mutex::ForkMutex;
use crate::process::posix::{KeptLoaded, at_exit, without_signals};
use crate::process::start::Start;
use crate::react::actions::{self, Tally};
use crate::react::colour::Headline;
use crate::react::stderr;
use crate::react::subscriber::{LastSubscriber, Subscriber};
use crate::record::checker::{Checker, Logging};
use crate::record::report::TableFull;
use crate::record::sites::Row;
use crate::sync::real::{AtomicBool, AtomicU64, Ordering, fence};
use crate::thread::state::ThreadState;
use std::cell::Cell;
use std::collections::HashSet;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The [generation](generation::current) of the process in which the thread runs.
static STARTED_IN: AtomicU64 = AtomicU64::new(NOWHERE);

/// The value of [`STARTED_IN`] while there is no thread.
const NOWHERE: u64 = u64::MAX;

/// The generation of the process that the rest of these variables belongs to.
static OWNED_BY: AtomicU64 = AtomicU64::new(NOWHERE);

/// The thread, to be woken and joined.
static THREAD: ForkMutex<Option<JoinHandle<()>>> = ForkMutex::new();

/// The thread is logging.
static BUSY: AtomicBool = AtomicBool::new(false);

/// There is no thread, and will be none in this process: it could not be started, or the process exits. Whoever violates a rule
/// logs it.
static ABSENT: AtomicBool = AtomicBool::new(false);

/// The thread is to end, or has ended.
static STOPPING: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicBool = AtomicBool::new(false);

/// The handler that ends the thread is registered.
static ENDS_AT_EXIT: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// This is the thread. Has no destructor, so that it can be read while the process exits.
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

/// How long the exit of the process waits for one more report, and for all of them. A machine may be busy, and the host may exit
/// with hundreds of new sites; but a subscriber may also wait for ever.
const AT_EXIT: Duration = Duration::from_secs(10);
const AT_EXIT_IN_ALL: Duration = Duration::from_secs(60);

/// How many sites have been logged.
static LOGGED: AtomicU64 = AtomicU64::new(0);

/// How long the thread lives after a violation if there are no ticks.
const IDLE: Duration = Duration::from_secs(1);

/// How long a thread waits for the report of its own violation, if the process may end right after it.
const URGENT: Duration = Duration::from_secs(5);

/// How often a thread that waits for the reporter looks.
const POLL: Duration = Duration::from_micros(500);

/// Starts the thread if this process has none, and has it do what `logging` says.
#[inline]
pub(crate) fn wake(start: &'static Start, logging: Logging) {
    if logging != Logging::Later || STARTED_IN.load(Ordering::Relaxed) != generation::current() {
        wake_slow(start, logging);
    }
}

#[cold]
fn wake_slow(start: &'static Start, logging: Logging) {
    let Some(checker) = start.get() else {
        return;
    };
    let generation = generation::current();
    take_over(checker, generation);
    if ABSENT.load(Ordering::Relaxed) {
        if logging != Logging::Later {
            Reporter::new(checker, generation).log_new();
        }
        return;
    }
    // Two threads may call this at once. The first one starts the thread. The fence: see `Reporter::ends_idle`.
    fence(Ordering::SeqCst);
    if STARTED_IN.swap(generation, Ordering::Relaxed) == generation {
        unpark();
    } else {
        spawn(checker, generation);
    }
    if logging == Logging::Now {
        flush(start, URGENT);
    }
}

/// Makes the state of this file that of this process, if it is still that of the parent.
fn take_over(checker: &Checker, generation: u64) {
    let before = OWNED_BY.swap(generation, Ordering::Relaxed);
    if before != generation && generation != 0 {
        checker.sites().leave_unlogged_to_parent(generation);
        for flag in [&BUSY, &STOPPING, &STOPPED, &ABSENT] {
            flag.store(false, Ordering::Relaxed);
        }
        // The C library gives the memory of the parent's thread to the next one, which a drop of the handle would detach.
        THREAD.with(|thread| std::mem::forget(thread.take()));
    }
}

fn unpark() {
    THREAD.with(|thread| {
        if let Some(thread) = thread {
            thread.thread().unpark();
        }
    });
}

/// Waits until each site that was violated so far has been logged, `timeout` at most. Returns whether each has.
pub(crate) fn flush(start: &'static Start, timeout: Duration) -> bool {
    let Some(checker) = start.get() else {
        return true;
    };
    let deadline = Instant::now() + timeout;
    loop {
        // In this order: the thread is busy from before it takes a site until it has logged it.
        if !checker.has_unlogged() && !BUSY.load(Ordering::Acquire) {
            return true;
        }
        if Instant::now() >= deadline || is_reporter() {
            return false;
        }
        unpark();
        thread::sleep(POLL);
    }
}

fn is_reporter() -> bool {
    IS_REPORTER.with(Cell::get)
}

/// Logs what is left, and ends the thread.
extern "C" fn end_at_exit() {
    let generation = generation::current();
    // A forked child that had no thread of its own leaves that of its parent alone.
    if OWNED_BY.load(Ordering::Relaxed) != generation || is_reporter() {
        return;
    }
    ABSENT.store(true, Ordering::Relaxed);
    if STARTED_IN.load(Ordering::Relaxed) != generation {
        return;
    }
    STOPPING.store(true, Ordering::Release);
    let Some(handle) = THREAD.with(Option::take) else {
        return;
    };
    handle.thread().unpark();
    let end = Instant::now() + AT_EXIT_IN_ALL;
    let mut logged = LOGGED.load(Ordering::Relaxed);
    let mut deadline = Instant::now() + AT_EXIT;
    while !STOPPED.load(Ordering::Acquire) && Instant::now() < deadline.min(end) {
        thread::sleep(POLL);
        let now = LOGGED.load(Ordering::Relaxed);
        if now != logged {
            logged = now;
            deadline = Instant::now() + AT_EXIT;
        }
    }
    if STOPPED.load(Ordering::Acquire) {
        let _ = handle.join();
    }
}

fn spawn(checker: &'static Checker, generation: u64) {
    // Not unloaded before the thread has locals with destructors; from then on, they keep it loaded.
    let loaded = KeptLoaded::new();
    let run = move || {
        let _ = ThreadState::with(|_| ());
        drop(loaded);
        Reporter::new(checker, generation).run();
    };
    let spawned = without_signals(|| {
        thread::Builder::new()
            .name("handleguard-tick".to_owned())
            .spawn(run)
    });
    match spawned {
        Ok(handle) => {
            THREAD.with(|thread| *thread = Some(handle));
            if !ENDS_AT_EXIT.swap(true, Ordering::Relaxed) {
                at_exit(end_at_exit);
            }
        }
        Err(error) => {
            ABSENT.store(true, Ordering::Relaxed);
            actions::notice(
                tracing::Level::WARN,
                format_args!(
                    "violations are logged by the threads that commit them, because no thread could be started: {error}"
                ),
            );
        }
    }
}

/// What the thread works with.
struct Reporter {
    checker: &'static Checker,
    generation: u64,
    memory: Memory,
}

/// What a thread hands on to the next.
#[derive(Default)]
struct Memory {
    /// The subscriber of the last violation that had one: the thread itself has none if the host sets its subscriber for its
    /// own thread only.
    last: Option<LastSubscriber>,
    /// How many violations the table had no room for, as last said.
    dropped: u64,
}

/// That of the last thread.
static MEMORY: ForkMutex<Memory> = ForkMutex::new();

impl Drop for Reporter {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        MEMORY.with(|last| *last = memory);
    }
}

impl Reporter {
    fn new(checker: &'static Checker, generation: u64) -> Self {
        Self {
            checker,
            generation,
            memory: MEMORY.with(std::mem::take),
        }
    }

    fn run(mut self) {
        IS_REPORTER.set(true);
        let ticks = self.checker.config.tick_interval();
        let interval = if ticks.is_zero() { IDLE } else { ticks };
        let mut next = Instant::now() + interval;
        while !STOPPING.load(Ordering::Acquire) {
            self.busy(Self::log_new);
            let now = Instant::now();
            if now < next {
                thread::park_timeout(next - now);
                continue;
            }
            let changed = self.checker.sites().take_changed();
            if changed && !ticks.is_zero() {
                self.busy(Self::tick);
            }
            if !changed && self.ends_idle() {
                return;
            }
            next = Instant::now() + interval;
        }
        self.busy(Self::log_new);
        STOPPED.store(true, Ordering::Release);
    }

    /// Ends the thread after an interval without a violation: the next one starts it again. Returns whether it is to end.
    fn ends_idle(&self) -> bool {
        STARTED_IN.store(NOWHERE, Ordering::Relaxed);
        // Of a violation that was recorded meanwhile, either this thread finds the site, or the violating thread finds that there
        // is no thread: each writes before the fence what the other reads after it.
        fence(Ordering::SeqCst);
        let generation = self.generation;
        !self.checker.has_unlogged()
            || STARTED_IN
                .compare_exchange(NOWHERE, generation, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
    }

    /// Runs `f` as a report: what a subscriber does in it is not checked. A panic ends in it: the thread goes on.
    fn busy(&mut self, f: impl FnOnce(&mut Self)) {
        BUSY.store(true, Ordering::Release);
        let f = std::panic::AssertUnwindSafe(|| {
            let _ = ThreadState::with(|thread| thread.report(|| f(self)));
        });
        let _ = std::panic::catch_unwind(f);
        BUSY.store(false, Ordering::Release);
    }

    /// Logs the sites that have not been logged.
    fn log_new(&mut self) {
        let checker = self.checker;
        for row in checker.sites().take_unlogged(self.generation) {
            let Some(subscriber) = row.detail.subscriber() else {
                continue;
            };
            // Before the makers are looked up: those that come later are news.
            checker.watch.take_news(|slot| slot == row.slot);
            let first = checker.described(&row);
            let tally = Tally {
                count: 1,
                handles: first.handles,
            };
            actions::log(&first, tally, subscriber);
            LOGGED.fetch_add(1, Ordering::Relaxed);
            self.memory.last = subscriber.downgrade().or(self.memory.last.take());
        }
        self.log_makers();
        if self.memory.dropped == 0 {
            self.say_full(checker.sites().dropped());
        }
    }

    /// Logs the sites again whose makers were seen after they were logged.
    fn log_makers(&mut self) {
        let checker = self.checker;
        if !checker.watch.has_news() {
            return;
        }
        let rows: Vec<Row<'_>> = checker.sites().rows().collect();
        let row_of = |slot| rows.iter().find(|row| row.slot == slot);
        // The others are logged with their makers.
        let news =
            (checker.watch).take_news(|slot| row_of(slot).is_none_or(|row| row.detail.is_logged()));
        for row in news.into_iter().filter_map(row_of) {
            let Some(subscriber) = row.detail.subscriber() else {
                continue;
            };
            let tally = Tally {
                count: row.count,
                handles: row.handles,
            };
            actions::log(&checker.described(row), tally, subscriber);
            LOGGED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reports what was violated since the last tick: to the subscriber if the program has one, else to stderr. Does nothing if
    /// that is nothing.
    fn tick(&mut self) {
        let (interval, all) = self.checker.tick();
        if interval.is_clean() {
            return;
        }
        let subscriber = self.subscriber();
        let again: HashSet<usize> = interval.sites.iter().map(|site| site.slot).collect();
        let violations = all.sites.iter().filter_map(|site| {
            let tally = Tally {
                count: site.count,
                handles: site.handles,
            };
            again
                .contains(&site.slot)
                .then_some((site.violation(), tally))
        });
        if actions::log_again(violations, &subscriber).is_err() {
            // Says too that the table is full, if it is.
            stderr::print_patiently(format_args!("{}in all:\n{all}", Headline(&interval)));
        } else {
            self.say_full(all.dropped);
        }
    }

    /// Says that the table is full, if violations had no room in it since the last time.
    fn say_full(&mut self, dropped: u64) {
        if dropped > self.memory.dropped {
            self.memory.dropped = dropped;
            let room = self.checker.sites().capacity();
            let full = TableFull { dropped, room };
            actions::notice_to(&self.subscriber(), tracing::Level::WARN, full);
        }
    }

    /// The subscriber of this thread, which is the program's; else that of the last violation.
    fn subscriber(&self) -> Subscriber {
        let own = Subscriber::current();
        if own.exists() {
            return own;
        }
        self.memory
            .last
            .as_ref()
            .and_then(LastSubscriber::upgrade)
            .unwrap_or(own)
    }
}
