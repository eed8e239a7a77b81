//! Whether an isolate is entered where something of it begins.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::wrong_isolate::WrongIsolate;
use crate::describe::rules::wrong_thread::WrongThread;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::place::Place;
/// The verdict of `wrong-thread` and `wrong-isolate`.
///
/// An isolate belongs to the thread that has entered it, and of those entered on one thread only the last is current: what
/// takes no isolate as an argument means that one.
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
        Entered::None => Some(Finding::WrongThread(WrongThread { beginning, place })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::scope::ScopeKind;

    const SCOPE: Beginning = Beginning::Scope(ScopeKind::HandleScope);

    #[test]
    fn an_isolate_that_is_entered_is_right() {
        let place = Place::here(None);
        for entered in [Entered::Unknown, Entered::Isolate(IsolateId(1))] {
            assert_eq!(judge(IsolateId(1), entered, SCOPE, place), None);
        }
    }

    #[test]
    fn another_isolate_is_named() {
        let place = Place::here(None);
        let entered = IsolateId(2);
        assert_eq!(
            judge(IsolateId(1), Entered::Isolate(entered), SCOPE, place),
            Some(Finding::WrongIsolate(WrongIsolate {
                beginning: SCOPE,
                place,
                entered
            }))
        );
    }

    #[test]
    fn a_thread_that_entered_none_is_wrong() {
        let place = Place::here(None);
        assert_eq!(
            judge(IsolateId(1), Entered::None, Beginning::Turn, place),
            Some(Finding::WrongThread(WrongThread {
                beginning: Beginning::Turn,
                place
            }))
        );
    }
}
