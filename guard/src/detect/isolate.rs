//! The verdicts of `wrong-thread` and `wrong-isolate`.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::wrong_isolate::WrongIsolate;
use crate::describe::rules::wrong_thread::WrongThread;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::place::Place;

/// Returns the finding if `isolate` is not the current isolate of the thread, where something of it begins at `place`.
///
/// An isolate belongs to the thread that has entered it. A thread may have entered several, and the last one is current: the
/// engine's functions that take no isolate as an argument use that one.
pub(crate) fn judge(
    isolate: IsolateId,
    entered: Entered,
    beginning: Beginning,
    place: Place,
) -> Option<Finding> {
    match entered {
        Entered::Unknown => None,
        Entered::Isolate(current) if current == isolate => None,
        Entered::Isolate(entered) => Some(Finding::WrongIsolate(WrongIsolate {
            beginning,
            place,
            entered,
        })),
        Entered::None | Entered::ByEngine => Some(Finding::WrongThread(WrongThread {
            beginning,
            place,
            by_engine: entered == Entered::ByEngine,
        })),
    }
}
