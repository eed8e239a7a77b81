//! The records of threads whose locals are gone, until their isolates end.
//!
//! A thread destroys its locals in an order that the checker does not choose. An isolate in one of them may end after the
//! thread's state is gone, and `never-closed` judges it all the same.

use crate::engine::ids::IsolateId;
use crate::fork::mutex::ForkMutex;
use crate::thread::number::thread_number;
use crate::thread::record::Record;

/// How many records are kept. A program whose isolates outlive more threads gets no verdict on the oldest.
const MAX_RECORDS: usize = 64;

/// Each record with the number of its thread, oldest first.
static REMAINS: ForkMutex<Vec<(usize, Record)>> = ForkMutex::new();

/// Keeps a record of this thread, which is ending.
pub(super) fn keep(record: Record) {
    let kept = (thread_number(), record);
    REMAINS.with(|remains| {
        if remains.len() == MAX_RECORDS {
            remains.remove(0);
        }
        remains.push(kept);
    });
}

/// Takes the record of `isolate` on this thread, if one is kept.
pub(super) fn take(isolate: IsolateId) -> Option<Record> {
    let thread = thread_number();
    REMAINS.with(|remains| {
        let at = remains
            .iter()
            .position(|(of, record)| *of == thread && record.isolate == isolate)?;
        Some(remains.remove(at).1)
    })
}

/// Removes the records of `isolate`, of whatever thread.
pub(super) fn forget(isolate: IsolateId) {
    REMAINS.with(|remains| remains.retain(|(_, record)| record.isolate != isolate));
}
