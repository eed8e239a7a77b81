//! The violations of a test in progress on one thread.

use crate::describe::violation::Violation;
use std::cell::RefCell;

/// Where the violations of one thread go while a test collects them, in place of the site table.
pub(crate) struct Collected(RefCell<Option<Vec<Violation>>>);

impl Collected {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Whether a test collects.
    pub(crate) fn is_collecting(&self) -> bool {
        self.0
            .try_borrow()
            .is_ok_and(|violations| violations.is_some())
    }

    /// Begins to collect into `violations`, or ends it with `None`. Returns what was collected before.
    #[cfg(feature = "testing")]
    pub(crate) fn replace(&self, violations: Option<Vec<Violation>>) -> Option<Vec<Violation>> {
        self.0.replace(violations)
    }

    /// Collects one violation and returns its index, or `None` if no test collects.
    pub(crate) fn push(&self, violation: Violation) -> Option<usize> {
        let mut violations = self.0.borrow_mut();
        let violations = violations.as_mut()?;
        violations.push(violation);
        Some(violations.len() - 1)
    }

    /// Adds handles to the violation at `index`, which were found to be its own only later.
    pub(crate) fn add_handles(&self, index: usize, handles: u64) {
        if let Some(violations) = &mut *self.0.borrow_mut()
            && let Some(violation) = violations.get_mut(index)
        {
            violation.handles += handles;
        }
    }
}
