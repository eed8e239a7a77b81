//! Who was caught with handles directly under a watched turn, until the turn ends and says whether they are a leak.

use crate::describe::makers::Seen;
use crate::engine::ids::{EntryId, IsolateId};
use std::cell::RefCell;

/// How many handles are caught on a thread before the turns that are open have ended. Each costs a walk of the stack.
const MAX_CAUGHT: usize = 64;

/// The handles that were caught on one thread.
pub(crate) struct Caught(RefCell<Vec<Handle>>);

/// One handle that was caught.
struct Handle {
    isolate: IsolateId,
    /// The id that was issued last when the handle was made: what ends later was open then, if its own id is not higher.
    after: EntryId,
    stack: CaughtStack,
}

/// The stack on which a handle was made, or was seen to have been made.
pub(crate) struct CaughtStack {
    pub(crate) ips: Box<[usize]>,
    pub(crate) seen: Seen,
}

impl Caught {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Keeps the stack of a handle of `isolate`, made when `after` was the id issued last. Returns whether the next handle is to be
    /// caught too.
    pub(crate) fn add(
        &self,
        isolate: IsolateId,
        after: EntryId,
        ips: &[usize],
        seen: Seen,
    ) -> bool {
        let Ok(mut caught) = self.0.try_borrow_mut() else {
            return false;
        };
        if caught.len() < MAX_CAUGHT {
            caught.push(Handle {
                isolate,
                after,
                stack: CaughtStack {
                    ips: ips.into(),
                    seen,
                },
            });
        }
        caught.len() < MAX_CAUGHT
    }

    /// Takes the stacks of the handles of `isolate` that were made since `ended` began.
    pub(crate) fn take_since(&self, isolate: IsolateId, ended: EntryId) -> Vec<CaughtStack> {
        let Ok(mut caught) = self.0.try_borrow_mut() else {
            return Vec::new();
        };
        if caught.is_empty() {
            return Vec::new();
        }
        caught
            .extract_if(.., |handle| {
                handle.isolate == isolate && handle.after >= ended
            })
            .map(|handle| handle.stack)
            .collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_ends_takes_the_handles_made_since_it_began() {
        let caught = Caught::new();
        let [one, other] = [IsolateId(1), IsolateId(2)];
        for (isolate, after) in [(one, 3), (one, 5), (other, 5), (one, 7)] {
            assert!(caught.add(isolate, EntryId(after), &[after as usize], Seen::Making));
        }
        let since = |isolate, id| {
            let stacks = caught.take_since(isolate, EntryId(id)).into_iter();
            stacks.map(|stack| stack.ips[0]).collect::<Vec<_>>()
        };
        assert_eq!(since(one, 5), [5, 7]);
        assert_eq!(since(one, 5), [0; 0]);
        assert_eq!(since(one, 1), [3]);
        assert_eq!(since(other, 1), [5]);
    }

    #[test]
    fn no_more_are_caught_than_there_is_room_for() {
        let caught = Caught::new();
        let goes_on =
            (0..MAX_CAUGHT + 2).map(|_| caught.add(IsolateId(1), EntryId(1), &[1], Seen::Making));
        assert_eq!(goes_on.filter(|goes_on| *goes_on).count(), MAX_CAUGHT - 1);
        assert_eq!(
            caught.take_since(IsolateId(1), EntryId(1)).len(),
            MAX_CAUGHT
        );
    }
}
