//! Which thread used an isolate first: named in the report of a second one.
//!
//! The table is read and changed where a thread makes its record of an isolate, and where a violation is described; a guard
//! whose thread has a record takes no lock.

use crate::engine::ids::IsolateId;
use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::place::Place;
use crate::symbolize::names;
use crate::sync::real::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

static OWNERS: ForkMutex<HashMap<IsolateId, Owner>> = ForkMutex::new();

/// How many isolates are kept. A process has a few at a time; one that disposes of its isolates unseen reaches the limit,
/// and a report names no first user for the isolates after it.
const MAX_OWNERS: usize = 4096;

/// The thread that used an isolate first, and where.
struct Owner {
    thread: String,
    place: Place,
    lifetime: Lifetime,
}

/// Whether one isolate has ended. Each record of the isolate, on whatever thread, holds a clone.
#[derive(Clone)]
pub(crate) struct Lifetime(Arc<AtomicBool>);

impl Lifetime {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// Whether the isolate has ended.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        // Acquire, as a reader that finds the flag set may meet another isolate at the same address.
        self.0.load(Ordering::Acquire)
    }
}

/// Records that this thread uses `isolate`, at `place`, if it is the first. Returns the isolate's lifetime.
pub(crate) fn note(isolate: IsolateId, place: Place) -> Lifetime {
    OWNERS.with(|owners| {
        if let Some(owner) = owners.get(&isolate) {
            return owner.lifetime.clone();
        }
        let lifetime = Lifetime::new();
        if owners.len() < MAX_OWNERS {
            let owner = Owner {
                thread: thread_name(),
                place,
                lifetime: lifetime.clone(),
            };
            owners.insert(isolate, owner);
        }
        lifetime
    })
}

/// Ends the lifetime of `isolate`, and with it the isolate's records on all threads.
pub(crate) fn end(isolate: IsolateId) {
    if let Some(owner) = OWNERS.with(|owners| owners.remove(&isolate)) {
        owner.lifetime.0.store(true, Ordering::Release);
    }
}

/// Returns the isolate in use, if there is exactly one.
pub(crate) fn only() -> Option<IsolateId> {
    OWNERS.with(|owners| match owners.len() {
        1 => owners.keys().next().copied(),
        _ => None,
    })
}

/// Returns the thread that used `isolate` first, and where, for a message.
pub(crate) fn describe(isolate: IsolateId, classifier: &FrameClassifier) -> Option<String> {
    let (thread, place) = OWNERS.with(|owners| {
        let owner = owners.get(&isolate)?;
        Some((owner.thread.clone(), owner.place))
    })?;
    // Unlocked by now: naming a place may read the program's symbols.
    let place = names::named(place, classifier);
    Some(format!("thread {thread}, first at {place}"))
}

/// The name of this thread, for messages.
pub(crate) fn thread_name() -> String {
    std::thread::current()
        .name()
        .unwrap_or("<unnamed>")
        .to_owned()
}
