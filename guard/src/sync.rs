//! The synchronisation primitives of the crate. No other file names them, so that the models can put loom's in their place.
//!
//! What is part of an instance comes from here, and is modelled. What lives in a `static` comes from [`real`].

#[cfg(not(all(test, loom)))]
pub(crate) use self::real::*;

#[cfg(all(test, loom))]
pub(crate) use self::model::*;

/// The primitives of std, and of a `static` in a model too: loom's cannot live in one.
#[cfg_attr(
    all(test, loom),
    allow(unused_imports, reason = "no `static` needs some of them")
)]
pub(crate) mod real {
    pub(crate) use once_cell::race::OnceBox;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
    pub(crate) use std::thread::yield_now;
}

#[cfg(all(test, loom))]
mod model {
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering,
    };

    use std::marker::PhantomData;
    use std::ptr;

    /// A stand-in for `once_cell::race::OnceBox`, which loom cannot look into: the same calls and the same orderings
    /// (once_cell 1.21, `src/race.rs`) over loom's `AtomicPtr`. The models check our use of it, not once_cell.
    pub(crate) struct OnceBox<T> {
        inner: AtomicPtr<T>,
        _owns: PhantomData<Box<T>>,
    }

    impl<T> OnceBox<T> {
        pub(crate) fn new() -> Self {
            Self {
                inner: AtomicPtr::new(ptr::null_mut()),
                _owns: PhantomData,
            }
        }

        #[expect(unsafe_code, reason = "a model of once_cell's own unsafe code")]
        pub(crate) fn get(&self) -> Option<&T> {
            let ptr = self.inner.load(Ordering::Acquire);
            // SAFETY: null, or from `Box::into_raw` in `set`, and freed only in `drop`.
            unsafe { ptr.as_ref() }
        }

        pub(crate) fn get_or_init(&self, init: impl FnOnce() -> Box<T>) -> &T {
            if self.get().is_none() {
                // If another thread was first, its value stays.
                let _ = self.set(init());
            }
            self.get().expect("set just now")
        }

        #[expect(unsafe_code, reason = "a model of once_cell's own unsafe code")]
        pub(crate) fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
            let ptr = Box::into_raw(value);
            self.inner
                .compare_exchange(ptr::null_mut(), ptr, Ordering::AcqRel, Ordering::Acquire)
                .map(drop)
                // SAFETY: the exchange failed, so `ptr` is still ours alone.
                .map_err(|_| unsafe { Box::from_raw(ptr) })
        }
    }

    impl<T> Drop for OnceBox<T> {
        #[expect(unsafe_code, reason = "a model of once_cell's own unsafe code")]
        fn drop(&mut self) {
            let ptr = self.inner.load(Ordering::Acquire);
            if !ptr.is_null() {
                // SAFETY: from `Box::into_raw` in `set`; nobody else can reach it in `drop`.
                drop(unsafe { Box::from_raw(ptr) });
            }
        }
    }
}
