//! Which thread used an isolate first: named in the report of a second one.
//!
//! The table is read and changed where a thread makes its record of an isolate, and where a violation is described; a guard
//! whose thread has a record takes no lock.

use crate::engine::ids::IsolateId;
use crate::engine::wording::FrameClassifier;
use crate::fork::mutex::ForkMutex;
use crate::place::Place;
use crate::symbolize::names;
use std::collections::HashMap;

static OWNERS: ForkMutex<HashMap<IsolateId, Owner>> = ForkMutex::new();

/// How many isolates are kept. A process has a few at a time; one that disposes of its isolates unseen reaches the limit,
/// and a report names no first user for the isolates after it.
const MAX_OWNERS: usize = 4096;

/// The thread that used an isolate first, and where.
#[derive(Clone)]
struct Owner {
    thread: String,
    place: Place,
}

/// Records that this thread uses `isolate`, at `place`, if it is the first.
pub(crate) fn note(isolate: IsolateId, place: Place) {
    OWNERS.with(|owners| {
        if owners.len() < MAX_OWNERS {
            owners.entry(isolate).or_insert_with(|| Owner {
                thread: thread_name(),
                place,
            });
        }
    });
}

/// Forgets an isolate that has ended.
pub(crate) fn forget(isolate: IsolateId) {
    OWNERS.with(|owners| owners.remove(&isolate));
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
    let Owner { thread, place } = OWNERS.with(|owners| owners.get(&isolate).cloned())?;
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
