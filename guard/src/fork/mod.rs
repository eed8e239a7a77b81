//! What keeps a forked child from waiting for a thread that exists only in its parent.

pub(crate) mod generation;
pub(crate) mod lock;
pub(crate) mod mutex;

// What lives in a `static` is not modelled; the model of the lock compiles it once more, over loom's primitives.
use crate::sync::real as primitives;
