//! Keeps a forked child from waiting for a thread that exists only in its parent.
//!
//! A child has one thread, and each lock of its memory is as it was at the fork. What another thread of the parent held then is
//! held for good in the child. So data of the whole process is in a [`ForkMutex`](mutex::ForkMutex), or is changed without a
//! lock; stderr is written past its lock, and libraries that take locks of their own are not called in a child.

pub(crate) mod generation;
pub(crate) mod lock;
pub(crate) mod mutex;

// What lives in a `static` is not modelled; the model of the lock compiles it once more, over loom's primitives.
use crate::sync::real as primitives;
