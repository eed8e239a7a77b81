//! Which thread used an isolate first: for the report of a second one. Looked at and changed where a thread makes a record
//! for an isolate and where a violation is described; never on the way of a guard.

use crate::engine::ids::IsolateId;
use crate::engine::wording::FrameClassifier;
use crate::place::Place;
use crate::symbolize::names;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

static OWNERS: Mutex<Option<HashMap<IsolateId, Owner>>> = Mutex::new(None);

/// Isolates remembered. A process has a few; where it makes more and disposes of them unseen, the rest goes without.
const MAX_OWNERS: usize = 4096;

/// The thread that used an isolate first, and where.
#[derive(Clone)]
struct Owner {
    thread: String,
    place: Place,
}

/// Notes that this thread uses `isolate`, at `place`, if it is the first.
pub(crate) fn note(isolate: IsolateId, place: Place) {
    let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let owners = owners.get_or_insert_default();
    if owners.len() < MAX_OWNERS {
        owners.entry(isolate).or_insert_with(|| Owner {
            thread: thread_name(),
            place,
        });
    }
}

/// Forgets an isolate that has ended.
pub(crate) fn forget(isolate: IsolateId) {
    if let Some(owners) = &mut *OWNERS.lock().unwrap_or_else(PoisonError::into_inner) {
        owners.remove(&isolate);
    }
}

/// The isolate that is in use, if there is one only.
pub(crate) fn only() -> Option<IsolateId> {
    let owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut isolates = owners.as_ref()?.keys();
    isolates
        .next()
        .copied()
        .filter(|_| isolates.next().is_none())
}

/// The thread that used `isolate` first, and where, for a message.
pub(crate) fn describe(isolate: IsolateId, classifier: &FrameClassifier) -> Option<String> {
    let owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let Owner { thread, place } = owners.as_ref()?.get(&isolate)?;
    let place = names::named(*place, classifier);
    Some(format!("thread {thread}, first at {place}"))
}

/// The name of this thread, for messages.
pub(crate) fn thread_name() -> String {
    std::thread::current()
        .name()
        .unwrap_or("<unnamed>")
        .to_owned()
}
