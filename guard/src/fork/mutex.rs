//! A mutex for data of the whole process that a forked child can always lock.

use crate::fork::generation;
use crate::fork::lock::Lock;
use crate::sync::real::{AtomicU64, Mutex, OnceBox};

/// A mutex that never blocks a forked child on a thread of its parent.
///
/// A child inherits the data, unless another thread of its parent held the mutex at the fork: then the data may be half
/// changed, nobody can unlock it, and the child starts with `T::default()`.
///
/// Lives in a `static`:
///
/// ```
/// use handleguard::ForkMutex;
/// use std::collections::HashMap;
///
/// static NAMES: ForkMutex<HashMap<usize, String>> = ForkMutex::new();
///
/// NAMES.with(|names| names.insert(0x10, "main".to_owned()));
/// assert_eq!(NAMES.with(|names| names.len()), 1);
/// ```
pub struct ForkMutex<T> {
    data: Lock<Option<T>>,
    /// Used instead once `data` is lost.
    replacement: OnceBox<Self>,
}

impl<T: Default> ForkMutex<T> {
    /// A mutex whose data is made when it is first locked.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            data: Lock::from_parts(AtomicU64::new(0), Mutex::new(None)),
            replacement: OnceBox::new(),
        }
    }

    /// Locks the mutex and runs `f` on the data. A panic of `f` unlocks the mutex, and leaves the data as it is at that moment.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let generation = generation::current();
        let mut mutex = self;
        let mut data = loop {
            match mutex.data.lock(generation) {
                Some(data) => break data,
                None => mutex = mutex.replacement.get_or_init(|| Box::new(Self::new())),
            }
        };
        f(data.get_or_insert_default())
    }
}

impl<T: Default> Default for ForkMutex<T> {
    fn default() -> Self {
        Self::new()
    }
}
