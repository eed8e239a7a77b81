//! The start of the checker: once per process, by `try_init` or by the first guard, without a lock.

use crate::record::checker::Checker;
use crate::sync::{AtomicU8, OnceBox, Ordering};

const IDLE: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

/// Holds the checker once it has started.
pub(crate) struct Start {
    /// `IDLE`, `OFF` or `ON`; the hot path reads it.
    state: AtomicU8,
    checker: OnceBox<Checker>,
    /// Not 0 once the start-up line was printed.
    announced: AtomicU8,
    /// Not 0 once the hint about turns was given.
    hinted: AtomicU8,
}

impl Start {
    #[cfg(not(all(test, loom)))]
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU8::new(IDLE),
            checker: OnceBox::new(),
            announced: AtomicU8::new(0),
            hinted: AtomicU8::new(0),
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(IDLE),
            checker: OnceBox::new(),
            announced: AtomicU8::new(0),
            hinted: AtomicU8::new(0),
        }
    }

    /// Whether every rule is off. One relaxed load, and all that a guard does in that case.
    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OFF
    }

    /// The checker, if it has started.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Checker> {
        self.checker.get()
    }

    /// Starts with `checker`. Returns `checker` as the error if there is one already.
    pub(crate) fn try_start(&self, checker: Box<Checker>) -> Result<&Checker, Box<Checker>> {
        let state = if checker.config.is_on() { ON } else { OFF };
        self.checker.set(checker)?;
        // After the checker is set: a guard that reads OFF never looks at the checker again.
        self.state.store(state, Ordering::Relaxed);
        self.get()
            .ok_or_else(|| unreachable!("[handleguard internal bug] started, and no checker"))
    }

    /// Whether the start-up line has not been printed yet.
    #[inline]
    pub(crate) fn is_unannounced(&self) -> bool {
        self.announced.load(Ordering::Relaxed) == 0
    }

    /// Returns `true` to exactly one caller, which prints the start-up line.
    pub(crate) fn announce(&self) -> bool {
        self.announced.swap(1, Ordering::Relaxed) == 0
    }

    /// Returns `true` to exactly one caller, which prints the hint about turns.
    pub(crate) fn hint(&self) -> bool {
        self.hinted.swap(1, Ordering::Relaxed) == 0
    }
}
