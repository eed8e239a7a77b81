//! The isolates that a thread has entered.

use crate::engine::ids::{EntryId, IsolateId};
use std::cell::{Cell, RefCell};

/// One isolate entered on this thread.
pub(crate) struct EnteredIsolate {
    pub(crate) isolate: IsolateId,
    /// The moment, in the record of the isolate.
    pub(crate) since: EntryId,
    /// The engine's level at that moment.
    pub(crate) level: Option<u32>,
}

/// The isolates that were entered on a thread by [`enter`] and not left yet, in order.
pub(crate) struct EnteredIsolates {
    open: RefCell<Vec<EnteredIsolate>>,
    /// One was left out of order, and told of. The engine takes back what was current before, so the next ones are out of order
    /// too: its consequence, until another is entered.
    pub(crate) in_disorder: Cell<bool>,
}

impl EnteredIsolates {
    pub(crate) const fn new() -> Self {
        Self {
            open: RefCell::new(Vec::new()),
            in_disorder: Cell::new(false),
        }
    }

    pub(crate) fn push(&self, entry: EnteredIsolate) {
        if let Ok(mut entries) = self.open.try_borrow_mut() {
            entries.push(entry);
        }
    }

    /// The last entry of `isolate`.
    pub(crate) fn take(&self, isolate: IsolateId) -> Option<EnteredIsolate> {
        let mut entries = self.open.try_borrow_mut().ok()?;
        let at = entries.iter().rposition(|entry| entry.isolate == isolate)?;
        Some(entries.remove(at))
    }

    /// Forgets an isolate that has ended.
    pub(crate) fn forget(&self, isolate: IsolateId) {
        if let Ok(mut entries) = self.open.try_borrow_mut() {
            entries.retain(|entry| entry.isolate != isolate);
        }
    }
}
