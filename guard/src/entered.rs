//! Entering an isolate on a thread, and leaving it: in order, and with nothing of it open.

use crate::finding::Beginning;
use crate::guard::{entering, seen};
use crate::judge::{self, violated};
use crate::stack::FrameId;
use crate::{Engine, IsolateId, Place};
use std::cell::{Cell, RefCell};

/// One isolate entered on this thread.
struct Entry {
    isolate: IsolateId,
    /// The moment, in the record of the isolate.
    since: FrameId,
    /// The engine's level at that moment.
    level: Option<u32>,
}

/// The isolates that were entered on a thread by [`enter`] and not left yet, in order.
pub(crate) struct Entries {
    open: RefCell<Vec<Entry>>,
    /// One was left out of order, and told of. The engine takes back what was current before, so the next ones are out of order
    /// too: its consequence, until another is entered.
    in_disorder: Cell<bool>,
}

impl Entries {
    pub(crate) const fn new() -> Self {
        Self {
            open: RefCell::new(Vec::new()),
            in_disorder: Cell::new(false),
        }
    }

    fn push(&self, entry: Entry) {
        if let Ok(mut entries) = self.open.try_borrow_mut() {
            entries.push(entry);
        }
    }

    /// The last entry of `isolate`.
    fn take(&self, isolate: IsolateId) -> Option<Entry> {
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

/// This thread has just entered `engine`'s isolate, at `place`.
pub fn enter<E: Engine>(engine: E, place: Place) {
    let _ = entering(engine, |local| {
        local.entries.in_disorder.set(false);
        let since = local.stack(engine.isolate(), place, |stack| stack.now())?;
        local.entries.push(Entry {
            isolate: engine.isolate(),
            since,
            level: engine.level(),
        });
        Some(())
    });
}

/// This thread is about to leave `engine`'s isolate, at `place`.
///
/// # Panics and aborts
///
/// By the actions of `wrong-thread` and `wrong-isolate`, if the isolate is not the current one of the thread; of
/// `never-closed`, if scopes opened since it was [entered](enter) are still open.
pub fn exit<E: Engine>(engine: E, place: Place) {
    let _ = entering(engine, |local| {
        if !local.entries.in_disorder.get()
            && judge::entered(local, engine, Beginning::Exit, place).is_some()
        {
            local.entries.in_disorder.set(true);
        }
        let entry = local.entries.take(engine.isolate())?;
        let (findings, below) = local.existing_stack(engine.isolate(), |stack| {
            let findings = stack.leave(entry.since, entry.level, place, seen(engine));
            (findings, stack.engine_is_below())
        })?;
        for finding in findings {
            violated(local, engine, finding, below, || None);
        }
        Some(())
    });
}
