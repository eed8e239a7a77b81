//! The state of one thread: a scope stack for each isolate that the thread uses, and what a test collects.
#![expect(
    unsafe_code,
    reason = "the one place that turns a name into a live isolate"
)]

use crate::describe::scope::ScopeKind;
use crate::detect::blocks::Blocks;
use crate::detect::stack::ScopeStack;
use crate::engine::counters::Counters;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::place::Place;
use crate::record::collected::Collected;
use crate::sync::real::{AtomicUsize, Ordering};
use crate::thread::caught::Caught;
use crate::thread::entered_isolates::EnteredIsolates;
use crate::thread::fast_path;
use crate::thread::isolates;
use crate::thread::log_pointer::{self, LogSlot};
use crate::thread::pending_log::PendingLog;
use crate::thread::record::Record;
use crate::thread::remains;
use crate::thread::siblings::Siblings;
use std::cell::{Cell, RefCell};

thread_local! {
    static STATE: ThreadState = const { ThreadState::new() };
}

/// The state of one thread.
pub(crate) struct ThreadState {
    records: RefCell<Records>,
    /// A report is in progress on this thread; scopes opened meanwhile are recorded but not checked.
    reporting: Cell<bool>,
    /// The violations of a test in progress.
    pub(crate) collected: Collected,
    /// The handles made directly under the watched turns that are open.
    pub(crate) caught: Caught,
    /// That test asked for strict mode.
    strict: Cell<bool>,
    /// No guard and no hook has run since that test began.
    awaits_use: Cell<bool>,
    /// The isolates that the thread has entered.
    pub(crate) entered: EnteredIsolates,
    /// The isolate that may use the fast path.
    fast_isolate: Cell<Option<(IsolateId, Counters)>>,
    log: LogSlot,
    /// What the thread has entered beside handle scopes.
    pub(crate) siblings: Siblings,
    /// A hook has reported what begins in the engine's own work; a guard of the same scope may follow.
    pub(crate) hooked_engine_work: Cell<bool>,
    /// A hook runs on this thread, below functions that no panic may unwind.
    in_hook: Cell<bool>,
    /// The thread's lane of counters in the site table, plus 1; 0 before the first violation.
    lane: Cell<usize>,
    /// Violations found so far.
    violations: Cell<u32>,
    /// The blocks of handles of each isolate. Apart from the records: most blocks are begun where the record need not be looked at.
    blocks: RefCell<Vec<(IsolateId, Blocks)>>,
}

/// The records of one thread. A thread has one or two isolates, so a search is cheaper than a map.
struct Records {
    all: Vec<Record>,
    /// Index of the one used last.
    current: usize,
    /// The last id of all records that were removed. Later records continue after it, so that a guard that outlives its
    /// isolate names nothing in a new isolate at the same address.
    last_removed: EntryId,
}

impl ThreadState {
    const fn new() -> Self {
        Self {
            records: RefCell::new(Records {
                all: Vec::new(),
                current: 0,
                last_removed: EntryId::NONE,
            }),
            reporting: Cell::new(false),
            collected: Collected::new(),
            caught: Caught::new(),
            strict: Cell::new(false),
            awaits_use: Cell::new(false),
            entered: EnteredIsolates::new(),
            fast_isolate: Cell::new(None),
            log: LogSlot::new(),
            siblings: Siblings::new(),
            hooked_engine_work: Cell::new(false),
            in_hook: Cell::new(false),
            lane: Cell::new(0),
            violations: Cell::new(0),
            blocks: RefCell::new(Vec::new()),
        }
    }

    /// The state with the record of `isolate`, for a thread whose locals are gone. `None` if the isolate had no record on it.
    pub(crate) fn after_the_locals(isolate: IsolateId) -> Option<Self> {
        let mut state = Self::new();
        state.records.get_mut().all.push(remains::take(isolate)?);
        // A panic in a local's destructor ends the process without the report.
        state.in_hook.set(true);
        Some(state)
    }

    /// Runs `f` on this thread's state. `None` once the thread's locals are being destroyed: an isolate held in one of them
    /// may close its scopes after ours are gone.
    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&Self) -> R) -> Option<R> {
        STATE.try_with(f).ok()
    }

    /// Runs `f` on the scope stack of `isolate`, for what begins at `place`. Makes a record if there is none. `None` from
    /// within another `f`.
    #[inline]
    pub(crate) fn record<R>(
        &self,
        isolate: IsolateId,
        place: Place,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> Option<R> {
        let mut records = self.records.try_borrow_mut().ok()?;
        records.flush();
        let at = match records.find(isolate) {
            Some(at) => at,
            None => {
                self.siblings.forget(isolate);
                records.add(isolate, place)
            }
        };
        Some(self.update(&mut records, at, f))
    }

    /// Runs `f` on the scope stack of `isolate`, if the isolate has a record on this thread.
    #[inline]
    pub(crate) fn existing_record<R>(
        &self,
        isolate: IsolateId,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> Option<R> {
        self.existing_record_if(isolate, |_| true, f)
    }

    /// Runs `f` on the live isolate that `engine` names and on its scope stack, if the isolate has a record on this thread. A
    /// guard that outlives its isolate finds none, and touches nothing.
    #[inline]
    pub(crate) fn recorded<E: Engine, R>(
        &self,
        engine: E,
        f: impl for<'a> FnOnce(E::Live<'a>, &mut ScopeStack) -> R,
    ) -> Option<R> {
        self.recorded_if(engine, |_| true, f)
    }

    /// As [`recorded`](Self::recorded), for a guard that holds `id`. The guard may have outlived its isolate, and another one
    /// may have begun at the same address: its record did not issue `id`, and `f` does not run.
    #[inline]
    pub(crate) fn recorded_entry<E: Engine, R>(
        &self,
        engine: E,
        id: EntryId,
        f: impl for<'a> FnOnce(E::Live<'a>, &mut ScopeStack) -> R,
    ) -> Option<R> {
        self.recorded_if(engine, |record| id > record.since, f)
    }

    #[inline]
    fn recorded_if<E: Engine, R>(
        &self,
        engine: E,
        accepts: impl FnOnce(&Record) -> bool,
        f: impl for<'a> FnOnce(E::Live<'a>, &mut ScopeStack) -> R,
    ) -> Option<R> {
        self.existing_record_if(engine.isolate(), accepts, |stack| {
            // SAFETY: the isolate has a record on this thread, and `find` has checked that no thread has ended it. `f` asks for
            // counts, which disposes of no isolate, and cannot keep the value, as it accepts any lifetime.
            let live = unsafe { engine.live() };
            f(live, stack)
        })
    }

    #[inline]
    fn existing_record_if<R>(
        &self,
        isolate: IsolateId,
        accepts: impl FnOnce(&Record) -> bool,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> Option<R> {
        let mut records = self.records.try_borrow_mut().ok()?;
        records.flush();
        let at = records.find(isolate)?;
        accepts(&records.all[at]).then(|| self.update(&mut records, at, f))
    }

    /// Runs `f` on the live isolate that `engine` names, if the isolate has a record on this thread. The records are not
    /// borrowed meanwhile: `f` may make the engine call hooks.
    pub(crate) fn with_live<E: Engine, R>(
        &self,
        engine: E,
        f: impl for<'a> FnOnce(E::Live<'a>) -> R,
    ) -> Option<R> {
        self.existing_record(engine.isolate(), |_| ())?;
        // SAFETY: as in `recorded`. `f` asks the engine for its state, which does not dispose of the isolate.
        Some(f(unsafe { engine.live() }))
    }

    #[inline]
    fn update<R>(
        &self,
        records: &mut Records,
        at: usize,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> R {
        records.current = at;
        let record = &mut records.all[at];
        if record.lifetime.was_raced() {
            record.stack.doubt_counts();
        }
        let result = f(&mut record.stack);
        let is_only = records.all.len() == 1;
        let record = &records.all[at];
        self.enable_fast_path(record.isolate, &record.stack, is_only);
        result
    }

    /// Lets what begins next in `isolate` take the fast path, if the stack needs no verdict on it. Where the thread has used another
    /// isolate too, each callback needs one: a handle of the other may be passed to it.
    #[inline]
    fn enable_fast_path(&self, isolate: IsolateId, stack: &ScopeStack, is_only: bool) {
        if !self.reporting.get()
            && let Some((fast, counters)) = self.fast_isolate.get()
            && fast == isolate
            && !self.strict.get()
            && !self.awaits_use()
            && let Some(mut limits) = stack.fast_path_limits()
        {
            limits.floor = limits.floor.filter(|_| is_only);
            let log = self.log.get();
            log.enable(isolate, limits, counters);
            self.log.publish(log);
        }
    }

    /// Lets scopes and callbacks of `live` take the fast path from now on, if `allowed` and the engine's counters can be
    /// read.
    #[inline]
    pub(crate) fn set_fast_isolate(&self, live: impl LiveIsolate, allowed: bool) {
        let counters = if allowed { live.counters() } else { None };
        self.fast_isolate
            .set(counters.map(|counters| (live.engine().isolate(), counters)));
    }

    /// Sends what begins on this thread by the slow path, until the fast path is [allowed](Self::set_fast_isolate) again.
    pub(crate) fn clear_fast_isolate(&self) {
        self.fast_isolate.set(None);
        fast_path::disable();
    }

    /// The isolates that have a record on this thread.
    pub(crate) fn isolates(&self) -> Vec<IsolateId> {
        self.records.try_borrow().map_or_else(
            |_| Vec::new(),
            |records| records.all.iter().map(|record| record.isolate).collect(),
        )
    }

    /// Ends the records of `isolate`: removes the one of this thread, and leaves those of other threads to be removed when
    /// they are next looked up.
    pub(crate) fn end_isolate(isolate: IsolateId) {
        Self::with(|thread| thread.remove_record(isolate));
        remains::forget(isolate);
        isolates::end(isolate);
        log_pointer::all().disable_for(isolate);
    }

    fn remove_record(&self, isolate: IsolateId) {
        if let Ok(mut records) = self.records.try_borrow_mut() {
            records.flush();
            if let Some(at) = records.find(isolate) {
                records.remove(at);
            }
        }
        let fast = self.fast_isolate.get();
        self.fast_isolate
            .set(fast.filter(|(fast, _)| *fast != isolate));
        self.entered.forget(isolate);
        self.siblings.forget(isolate);
        if let Ok(mut blocks) = self.blocks.try_borrow_mut() {
            blocks.retain(|(other, _)| *other != isolate);
        }
    }

    /// Records that the engine begins the block `index` of `isolate` at `level`. Returns how many blocks the scope at that level
    /// has begun in a row; `None` from within another call.
    pub(crate) fn begin_block(
        &self,
        isolate: IsolateId,
        index: usize,
        level: u32,
    ) -> Option<usize> {
        let mut blocks = self.blocks.try_borrow_mut().ok()?;
        let known = blocks.iter().position(|(other, _)| *other == isolate);
        let at = known.unwrap_or_else(|| {
            blocks.push((isolate, Blocks::new()));
            blocks.len() - 1
        });
        Some(blocks[at].1.begin(index, level))
    }

    /// The depth of the scope stack used last.
    pub(crate) fn depth(&self) -> u32 {
        self.records.try_borrow_mut().map_or(0, |mut records| {
            records.flush();
            let current = records.all.get(records.current);
            current.map_or(0, |record| record.stack.depth())
        })
    }

    /// Whether a guard of the innermost opened scope names one that a hook has recorded. If so, the scope takes kind and
    /// place from the guard.
    #[inline]
    pub(crate) fn adopt(&self, isolate: IsolateId, kind: ScopeKind, place: Place) -> bool {
        self.existing_record(isolate, |stack| stack.adopt(kind, place)) == Some(true)
    }

    /// Whether a callback of another isolate than `isolate` is open: frames of the engine are then on the machine stack, and
    /// no panic may unwind them. `true` where the records cannot be read.
    pub(crate) fn engine_is_below_elsewhere(&self, isolate: IsolateId) -> bool {
        let Ok(mut records) = self.records.try_borrow_mut() else {
            return true;
        };
        records.flush();
        records
            .all
            .iter()
            .any(|record| record.isolate != isolate && record.stack.engine_is_below())
    }

    /// The thread's lane of counters in the site table. Threads take the lanes in turn.
    #[inline]
    pub(crate) fn lane(&self) -> usize {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        if self.lane.get() == 0 {
            let before = THREADS.fetch_add(1, Ordering::Relaxed);
            self.lane.set(before.wrapping_add(1).max(1));
        }
        self.lane.get() - 1
    }

    /// Counts one more violation on this thread. Returns how many there were before.
    #[inline]
    pub(crate) fn violations(&self) -> u32 {
        let before = self.violations.get();
        self.violations.set(before.wrapping_add(1));
        before
    }

    /// Runs `f`, which reports a violation or a notice. `None` if a report is in progress on this thread already.
    pub(crate) fn report<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        /// Resets the flag on every way out: `panic` is one of the actions.
        struct Reset<'a>(&'a Cell<bool>);
        impl Drop for Reset<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        if self.reporting.replace(true) {
            return None;
        }
        let _reset = Reset(&self.reporting);
        fast_path::disable();
        Some(f())
    }

    /// Whether a report is in progress on this thread.
    #[inline]
    pub(crate) fn is_reporting(&self) -> bool {
        self.reporting.get()
    }

    /// Runs `f` for a hook: functions that no panic may unwind call it.
    #[inline]
    pub(crate) fn in_hook<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = self.in_hook.replace(true);
        let result = f();
        self.in_hook.set(outer);
        result
    }

    /// Whether a hook runs on this thread.
    pub(crate) fn is_in_hook(&self) -> bool {
        self.in_hook.get()
    }

    /// Whether the test in progress asked for strict mode.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict.get()
    }

    /// Whether the test in progress has still to see that a guard or a hook runs; the fast path would hide it.
    fn awaits_use(&self) -> bool {
        cfg!(feature = "testing") && self.awaits_use.get()
    }

    /// Records that a guard or a hook runs.
    #[inline]
    pub(crate) fn note_guard(&self) {
        if cfg!(feature = "testing") {
            self.awaits_use.set(false);
        }
    }

    #[cfg(feature = "testing")]
    /// Sets whether the test in progress waits for a guard or a hook. Returns what it was before.
    pub(crate) fn set_awaits_use(&self, awaits_use: bool) -> bool {
        self.awaits_use.replace(awaits_use)
    }

    #[cfg(feature = "testing")]
    /// Sets strict mode for the test in progress. Returns what it was before.
    pub(crate) fn set_strict(&self, strict: bool) -> bool {
        fast_path::disable();
        self.strict.replace(strict)
    }
}

impl Drop for ThreadState {
    /// An isolate in another local of the thread may end after this.
    fn drop(&mut self) {
        let records = self.records.get_mut();
        records.flush();
        for record in records.all.drain(..) {
            if !record.lifetime.has_ended() {
                remains::keep(record);
            }
        }
    }
}

impl Records {
    /// Replays the pending log into the scope stack that it belongs to.
    #[inline]
    fn flush(&mut self) {
        let Some(log) = log_pointer::current() else {
            return;
        };
        PendingLog::flush(log, |isolate, entries, last| {
            if let Some(at) = self.find(isolate) {
                self.all[at].stack.replay(entries, last);
            } else {
                // The isolate has ended. No later record gives these ids again.
                self.last_removed = self.last_removed.max(last);
            }
        });
    }

    #[cold]
    fn add(&mut self, isolate: IsolateId, place: Place) -> usize {
        self.all.push(Record {
            isolate,
            lifetime: isolates::note_use(isolate, place),
            since: self.last_removed,
            stack: ScopeStack::starting_after(self.last_removed),
        });
        self.all.len() - 1
    }

    #[cold]
    fn remove(&mut self, at: usize) {
        let record = self.all.remove(at);
        self.last_removed = self.last_removed.max(record.stack.last_id());
        self.current = 0;
    }

    /// The index of the record of `isolate`, unless that isolate has ended on another thread: then the record goes, and the
    /// address may be that of a new isolate.
    #[inline]
    fn find(&mut self, isolate: IsolateId) -> Option<usize> {
        let at = match self.all.get(self.current) {
            Some(current) if current.isolate == isolate => self.current,
            _ => self
                .all
                .iter()
                .position(|record| record.isolate == isolate)?,
        };
        if self.all[at].lifetime.has_ended() {
            self.remove(at);
            return None;
        }
        Some(at)
    }
}
