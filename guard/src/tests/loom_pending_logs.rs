//! Models of the list of pending logs: every interleaving of two threads.

use crate::thread::pending_logs::PendingLogs;
use loom::sync::Arc;
use loom::thread;

/// The race: two threads claim a log, and one of them has one to give up.
#[test]
fn loom_a_log_is_claimed_by_one_thread_at_a_time() {
    loom::model(|| {
        let logs = Arc::new(PendingLogs::new());
        let first = logs.claim();
        logs.release(first);
        let other = thread::spawn({
            let logs = Arc::clone(&logs);
            move || (&raw const *logs.claim()).addr()
        });
        let own = (&raw const *logs.claim()).addr();
        assert_ne!(own, other.join().unwrap());
    });
}

/// The race: two threads add a log to the empty list.
#[test]
fn loom_two_logs_that_are_added_at_once_are_both_found() {
    loom::model(|| {
        let logs = Arc::new(PendingLogs::new());
        let other = thread::spawn({
            let logs = Arc::clone(&logs);
            move || (&raw const *logs.claim()).addr()
        });
        let own = (&raw const *logs.claim()).addr();
        let other = other.join().unwrap();
        let mut listed = logs.addresses();
        listed.sort_unstable();
        let mut expected = vec![own, other];
        expected.sort_unstable();
        assert_eq!(listed, expected);
    });
}
