//! A lock that detects whether a fork has left it locked.

use super::primitives::{
    AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, TryLockError, yield_now,
};

/// A mutex that can be lost: a child that is forked while another thread of its parent holds a lock inherits it locked,
/// and no thread is left to unlock it.
///
/// The first thread that takes the lock in a new process tries it while all others wait, so a lock that cannot be taken
/// then was held at the fork.
pub(crate) struct Lock<T> {
    /// [`LOST`], or the generation that tried it last, as [`usable`] or [`tried`].
    state: AtomicU64,
    data: Mutex<T>,
}

/// A thread of a parent process held the lock at the fork, and nobody can unlock it.
const LOST: u64 = u64::MAX;

/// The lock was tried in this generation and found unlocked.
const fn usable(generation: u64) -> u64 {
    generation << 1
}

/// A thread of this generation is trying the lock.
const fn tried(generation: u64) -> u64 {
    generation << 1 | 1
}

impl<T> Lock<T> {
    /// Makes a lock of its parts, which a `static` and a model make differently. `state` is 0: usable in the first generation.
    pub(crate) const fn from_parts(state: AtomicU64, data: Mutex<T>) -> Self {
        Self { state, data }
    }

    /// Takes the lock, in a process of that generation. Returns `None` if a thread of the parent process held it at the fork.
    pub(crate) fn lock(&self, generation: u64) -> Option<MutexGuard<'_, T>> {
        loop {
            // Acquire and release: whoever finds the lock usable has the trial behind it.
            match self.state.load(Ordering::Acquire) {
                LOST => return None,
                state if state == usable(generation) => {
                    return Some(self.data.lock().unwrap_or_else(PoisonError::into_inner));
                }
                state if state == tried(generation) => yield_now(),
                // From before the fork. A trial that was under way then has ended with its thread.
                state => {
                    let claimed = self.state.compare_exchange(
                        state,
                        tried(generation),
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    );
                    if claimed.is_ok() {
                        return self.try_it(generation);
                    }
                }
            }
        }
    }

    #[cold]
    fn try_it(&self, generation: u64) -> Option<MutexGuard<'_, T>> {
        let (data, state) = match self.data.try_lock() {
            Ok(data) => (Some(data), usable(generation)),
            Err(TryLockError::Poisoned(data)) => (Some(data.into_inner()), usable(generation)),
            Err(TryLockError::WouldBlock) => (None, LOST),
        };
        self.state.store(state, Ordering::Release);
        data
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn data_that_nobody_held_at_the_fork_is_inherited() {
        let lock = Lock::from_parts(AtomicU64::new(0), Mutex::new(7));
        *lock.lock(0).unwrap() += 1;
        assert_eq!(*lock.lock(1).unwrap(), 8);
        assert_eq!(*lock.lock(1).unwrap(), 8);
    }

    #[test]
    fn a_lock_that_was_held_at_the_fork_is_lost() {
        let lock = Lock::from_parts(AtomicU64::new(0), Mutex::new(7));
        let held = lock.lock(0);
        assert!(lock.lock(1).is_none());
        drop(held);
        assert!(
            lock.lock(1).is_none(),
            "what the parent does later is not seen"
        );
        assert!(lock.lock(2).is_none(), "nor in a child of the child");
    }
}
