//! The isolates that a thread has entered.

use crate::engine::ids::{EntryId, IsolateId};
use std::cell::{Cell, RefCell};

/// One isolate that this thread has entered.
pub(crate) struct EnteredIsolate {
    pub(crate) isolate: IsolateId,
    /// The last id that the isolate's scope stack had issued then.
    pub(crate) since: EntryId,
    /// The engine's level then.
    pub(crate) level: Option<u32>,
}

/// The isolates that a thread has entered by [`enter`](crate::enter) and not left yet, in order.
pub(crate) struct EnteredIsolates {
    entered: RefCell<Vec<EnteredIsolate>>,
    /// The thread has left one out of order, which was reported. The engine then restores the isolate that was current before
    /// that one was entered, so the next exits are out of order as well; they are not reported until an isolate is entered.
    pub(crate) in_disorder: Cell<bool>,
}

impl EnteredIsolates {
    pub(crate) const fn new() -> Self {
        Self {
            entered: RefCell::new(Vec::new()),
            in_disorder: Cell::new(false),
        }
    }

    pub(crate) fn push(&self, isolate: EnteredIsolate) {
        if let Ok(mut entered) = self.entered.try_borrow_mut() {
            entered.push(isolate);
        }
    }

    /// Removes and returns the last entering of `isolate`.
    pub(crate) fn take(&self, isolate: IsolateId) -> Option<EnteredIsolate> {
        let mut entered = self.entered.try_borrow_mut().ok()?;
        let at = entered.iter().rposition(|it| it.isolate == isolate)?;
        Some(entered.remove(at))
    }

    /// Whether the thread has entered `isolate` and not left it.
    #[cfg(feature = "testing")]
    pub(crate) fn holds(&self, isolate: IsolateId) -> bool {
        let entered = self.entered.try_borrow();
        entered.is_ok_and(|entered| entered.iter().any(|it| it.isolate == isolate))
    }

    /// Forgets an isolate that has ended.
    pub(crate) fn forget(&self, isolate: IsolateId) {
        if let Ok(mut entered) = self.entered.try_borrow_mut() {
            entered.retain(|it| it.isolate != isolate);
        }
    }
}
