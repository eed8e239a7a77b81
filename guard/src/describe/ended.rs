//! What came to its end.

use crate::place::Place;

/// What ended when a finding was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ended {
    /// A call from the host into JavaScript.
    Callback(Place),
    /// A turn.
    Turn,
    /// The isolate.
    Isolate,
    /// The thread's use of the isolate: the thread left it here.
    Exit(Place),
}
