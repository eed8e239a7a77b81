//! What belongs to one thread: its stacks, one for each isolate, and what a test collects.

use crate::detect::stack::ScopeStack;
use crate::engine::counters::Counters;
use crate::engine::ids::IsolateId;
use crate::engine::interface::Engine;
use crate::place::Place;
use crate::process::global;
use crate::record::collected::Collected;
use crate::sync::real::{AtomicUsize, Ordering};
use crate::thread::entered_isolates::EnteredIsolates;
use crate::thread::{fast_path, first_user};
use std::cell::{Cell, RefCell};

thread_local! {
    static LOCAL: ThreadState = const { ThreadState::new() };
}

/// The state of one thread.
pub(crate) struct ThreadState {
    stacks: RefCell<Stacks>,
    /// A violation is being told: what that does itself is recorded, and not judged.
    reporting: Cell<bool>,
    /// The violations of a test in progress.
    pub(crate) collected: Collected,
    /// That test asked for strict judgement.
    strict: Cell<bool>,
    /// Isolates entered.
    pub(crate) entries: EnteredIsolates,
    /// The isolate of which scopes and callbacks may be [only written down](recent).
    fast: Cell<Option<(IsolateId, Counters)>>,
    /// Where those are written down.
    recent: fast_path::PendingSlot,
    /// A hook is being served.
    in_hook: Cell<bool>,
    /// The thread's lane of counts in the site table, and one more; 0 before it was asked for.
    lane: Cell<usize>,
    /// Violations found so far.
    violations: Cell<u32>,
}

/// The stacks of one thread. There are one or two isolates on a thread, so a search is cheaper than a map.
struct Stacks {
    all: Vec<(IsolateId, ScopeStack)>,
    /// Index of the one used last.
    current: usize,
}

impl ThreadState {
    const fn new() -> Self {
        Self {
            stacks: RefCell::new(Stacks {
                all: Vec::new(),
                current: 0,
            }),
            reporting: Cell::new(false),
            collected: Collected::new(),
            strict: Cell::new(false),
            entries: EnteredIsolates::new(),
            fast: Cell::new(None),
            recent: fast_path::PendingSlot::new(),
            in_hook: Cell::new(false),
            lane: Cell::new(0),
            violations: Cell::new(0),
        }
    }

    /// Runs `f` on this thread's state. `None` once the thread's locals are being destroyed: an engine held in one of
    /// them may close its scopes after ours are gone.
    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&Self) -> R) -> Option<R> {
        LOCAL.try_with(f).ok()
    }

    /// Runs `f` on the stack of `isolate`, which is made if there is none, for what begins at `place`. `None` from within
    /// another `f`.
    #[inline]
    pub(crate) fn stack<R>(
        &self,
        isolate: IsolateId,
        place: Place,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> Option<R> {
        let mut stacks = self.stacks.try_borrow_mut().ok()?;
        stacks.flush();
        let at = match stacks.find(isolate) {
            Some(at) => at,
            None => stacks.add(isolate, place),
        };
        stacks.current = at;
        let stack = &mut stacks.all[at].1;
        let result = f(stack);
        self.enable(isolate, stack);
        Some(result)
    }

    /// Runs `f` on the stack of `isolate`, if there is one: its record may have ended before a guard's drop.
    #[inline]
    pub(crate) fn existing_stack<R>(
        &self,
        isolate: IsolateId,
        f: impl FnOnce(&mut ScopeStack) -> R,
    ) -> Option<R> {
        let mut stacks = self.stacks.try_borrow_mut().ok()?;
        stacks.flush();
        let at = stacks.find(isolate)?;
        stacks.current = at;
        let stack = &mut stacks.all[at].1;
        let result = f(stack);
        self.enable(isolate, stack);
        Some(result)
    }

    /// Has what begins next in `isolate` only be written down, if nothing is to be said of it.
    #[inline]
    fn enable(&self, isolate: IsolateId, stack: &ScopeStack) {
        if !self.reporting.get()
            && let Some((fast, counters)) = self.fast.get()
            && fast == isolate
            && !self.strict.get()
            && let Some(fast_path_limits) = stack.fast_path_limits()
            && global::checker().is_some_and(|checker| checker.allows_fast_path())
        {
            self.recent.enable(isolate, fast_path_limits, counters);
        }
    }

    /// Lets scopes and callbacks of `engine` be only written down from now on, where nothing is to be said of them.
    #[inline]
    pub(crate) fn set_fast_isolate<E: Engine>(&self, engine: E) {
        let counters = engine.counters();
        self.fast
            .set(counters.map(|counters| (engine.isolate(), counters)));
    }

    /// The isolates that have a record on this thread.
    pub(crate) fn isolates(&self) -> Vec<IsolateId> {
        self.stacks.try_borrow().map_or_else(
            |_| Vec::new(),
            |stacks| stacks.all.iter().map(|(isolate, _)| *isolate).collect(),
        )
    }

    /// Takes the stack of `isolate` away.
    pub(crate) fn remove_stack(&self, isolate: IsolateId) -> Option<ScopeStack> {
        let mut stacks = self.stacks.try_borrow_mut().ok()?;
        stacks.flush();
        self.fast
            .set(self.fast.get().filter(|(fast, _)| *fast != isolate));
        let at = stacks.find(isolate)?;
        first_user::forget(isolate);
        self.entries.forget(isolate);
        let (_, stack) = stacks.all.remove(at);
        stacks.current = 0;
        Some(stack)
    }

    /// The depth of the stack used last.
    pub(crate) fn depth(&self) -> u32 {
        self.stacks.try_borrow_mut().map_or(0, |mut stacks| {
            stacks.flush();
            stacks
                .all
                .get(stacks.current)
                .map_or(0, |(_, stack)| stack.depth())
        })
    }

    /// The thread's lane of counts in the site table: threads have them in turn.
    #[inline]
    pub(crate) fn lane(&self) -> usize {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        if self.lane.get() == 0 {
            let before = THREADS.fetch_add(1, Ordering::Relaxed);
            self.lane.set(before.wrapping_add(1).max(1));
        }
        self.lane.get() - 1
    }

    /// Counts one more violation on this thread; how many there were.
    #[inline]
    pub(crate) fn violations(&self) -> u32 {
        let before = self.violations.get();
        self.violations.set(before.wrapping_add(1));
        before
    }

    /// Runs `f`, unless a violation is being told on this thread already.
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

    /// Whether a violation is being told on this thread.
    #[inline]
    pub(crate) fn is_reporting(&self) -> bool {
        self.reporting.get()
    }

    /// Runs `f` for a hook: it is called by functions that no panic may unwind.
    #[inline]
    pub(crate) fn in_hook<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = self.in_hook.replace(true);
        let result = f();
        self.in_hook.set(outer);
        result
    }

    /// Whether a hook is being served.
    pub(crate) fn is_in_hook(&self) -> bool {
        self.in_hook.get()
    }

    /// Whether the test in progress asked for strict judgement.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict.get()
    }

    #[cfg(feature = "testing")]
    /// Sets that; gives back what it was.
    pub(crate) fn set_strict(&self, strict: bool) -> bool {
        fast_path::disable();
        self.strict.replace(strict)
    }
}

impl Stacks {
    /// Is told what was only written down.
    #[inline]
    fn flush(&mut self) {
        fast_path::flush(|isolate, entries, last| {
            if let Some(at) = self.find(isolate) {
                self.all[at].1.replay(entries, last);
            }
        });
    }

    #[cold]
    fn add(&mut self, isolate: IsolateId, place: Place) -> usize {
        first_user::note(isolate, place);
        self.all.push((isolate, ScopeStack::new()));
        self.all.len() - 1
    }

    #[inline]
    fn find(&self, isolate: IsolateId) -> Option<usize> {
        if let Some((current, _)) = self.all.get(self.current)
            && *current == isolate
        {
            return Some(self.current);
        }
        self.all.iter().position(|(other, _)| *other == isolate)
    }
}
