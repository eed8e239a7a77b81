//! The thread that used an isolate first.

use crate::place::Place;
use std::fmt;

/// A thread, and where it used an isolate before any other thread did.
#[derive(Clone, Debug)]
pub(crate) struct FirstUser {
    pub(crate) thread: String,
    pub(crate) place: Place,
}

impl fmt::Display for FirstUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {}, first at {}", self.thread, self.place)
    }
}
