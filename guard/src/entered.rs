//! Entering an isolate on a thread, and leaving it: in order, and with nothing of it open.

use crate::finding::Beginning;
use crate::guard::{entering, seen};
use crate::judge::{self, violated};
use crate::stack::FrameId;
use crate::{Engine, IsolateId, Place};
use std::cell::RefCell;

/// One isolate entered on this thread.
struct Entry {
    isolate: IsolateId,
    /// The moment, in the record of the isolate.
    since: FrameId,
    /// The engine's level at that moment.
    level: Option<u32>,
}

/// The isolates that were entered on a thread by [`enter`] and not left yet, in order.
#[derive(Default)]
pub(crate) struct Entries(RefCell<Vec<Entry>>);

impl Entries {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    fn push(&self, entry: Entry) {
        if let Ok(mut entries) = self.0.try_borrow_mut() {
            entries.push(entry);
        }
    }

    /// The last entry of `isolate`.
    fn take(&self, isolate: IsolateId) -> Option<Entry> {
        let mut entries = self.0.try_borrow_mut().ok()?;
        let at = entries.iter().rposition(|entry| entry.isolate == isolate)?;
        Some(entries.remove(at))
    }

    /// Forgets an isolate that has ended.
    pub(crate) fn forget(&self, isolate: IsolateId) {
        if let Ok(mut entries) = self.0.try_borrow_mut() {
            entries.retain(|entry| entry.isolate != isolate);
        }
    }
}

/// This thread has just entered `engine`'s isolate, at `place`.
pub fn enter<E: Engine>(engine: E, place: Place) {
    let _ = entering(engine, |local| {
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
        judge::entered(local, engine, Beginning::Exit, place);
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
