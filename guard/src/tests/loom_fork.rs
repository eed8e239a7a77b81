//! Models of the lock that finds out whether it was left behind by a fork: every interleaving of two threads of the child, up
//! to the bound on preemptions that `.ci/loom` sets.

use loom::sync::Arc;
use loom::thread;
use primitives::{AtomicU64, Mutex};

/// What the lock is compiled over once more: a `static` one is made of the primitives of std in a model too.
mod primitives {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(super) use loom::sync::{Mutex, MutexGuard};
    pub(super) use loom::thread::yield_now;
    pub(super) use std::sync::{PoisonError, TryLockError};
}

#[path = "../fork/lock.rs"]
mod lock;

use lock::Lock;

/// The generation of the child. The parent's is 0.
const CHILD: u64 = 1;

fn lock() -> Lock<u32> {
    Lock::from_parts(AtomicU64::new(0), Mutex::new(0))
}

/// The race: both threads of a child take a lock for the first time that nobody held at the fork.
#[test]
fn loom_lock_that_nobody_held_at_the_fork_is_lost_to_none() {
    loom::model(|| {
        let lock = Arc::new(lock());
        *lock.lock(0).unwrap() += 1;
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || *lock.lock(CHILD).unwrap() += 1
        });
        *lock.lock(CHILD).unwrap() += 1;
        other.join().unwrap();
        assert_eq!(*lock.lock(CHILD).unwrap(), 3);
    });
}

/// The race: both threads of a child take a lock for the first time that was held at the fork.
#[test]
fn loom_lock_that_was_held_at_the_fork_is_lost_to_both() {
    loom::model(|| {
        let lock = Arc::new(lock());
        let held = lock.lock(0);
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || lock.lock(CHILD).is_none()
        });
        assert!(lock.lock(CHILD).is_none());
        assert!(other.join().unwrap());
        drop(held);
    });
}
