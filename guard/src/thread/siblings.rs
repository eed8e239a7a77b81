//! What this thread has entered beside handle scopes, as hooks see it: contexts, and scopes that allow or forbid JavaScript.
//!
//! No part of the scope stack: a hook adds to a list here, and leaves the pending log as it is. Only the end of a turn or of an isolate
//! looks for what was not left.

use crate::describe::sibling::Sibling;
use crate::engine::ids::IsolateId;
use crate::place::Place;
use std::cell::{Cell, RefCell};

/// How many entries that were reported are kept: a later end of one must not be taken for that of another.
const MAX_REPORTED: usize = 64;

/// The list. See the [module](self).
pub(crate) struct Siblings {
    open: RefCell<Vec<Entered>>,
    /// How many were entered so far.
    begun: Cell<u64>,
}

/// What was entered.
struct Entered {
    number: u64,
    isolate: IsolateId,
    what: Sibling,
    /// The address of the engine's scope object; 0 for a context, which has none.
    storage: usize,
    place: Place,
    reported: bool,
}

/// What was not left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Left {
    /// The outermost.
    pub(crate) what: Sibling,
    pub(crate) place: Place,
    /// How many there are inside it.
    pub(crate) more: usize,
}

impl Siblings {
    pub(crate) const fn new() -> Self {
        Self {
            open: RefCell::new(Vec::new()),
            begun: Cell::new(0),
        }
    }

    /// How many were entered so far, for [`take_since`](Self::take_since).
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Records that `what` was entered.
    pub(crate) fn begin(&self, isolate: IsolateId, what: Sibling, storage: usize, place: Place) {
        let number = self.begun.get();
        self.begun.set(number + 1);
        self.open.borrow_mut().push(Entered {
            number,
            isolate,
            what,
            storage,
            place,
            reported: false,
        });
    }

    /// Records that it was left. What no hook saw entered is left in silence.
    pub(crate) fn end(&self, isolate: IsolateId, what: Sibling, storage: usize) {
        let mut open = self.open.borrow_mut();
        let at = open.iter().rposition(|entered| {
            (entered.isolate, entered.what, entered.storage) == (isolate, what, storage)
        });
        if let Some(at) = at {
            open.remove(at);
        }
    }

    /// Takes what was entered in `isolate` after the first `since`, and was not left. It is not returned again.
    pub(crate) fn take_since(&self, isolate: IsolateId, since: u64) -> Option<Left> {
        let mut open = self.open.borrow_mut();
        let mut left: Option<Left> = None;
        for entered in open.iter_mut() {
            if entered.isolate != isolate || entered.number < since || entered.reported {
                continue;
            }
            entered.reported = true;
            match &mut left {
                Some(left) => left.more += 1,
                None => {
                    left = Some(Left {
                        what: entered.what,
                        place: entered.place,
                        more: 0,
                    });
                }
            }
        }
        if left.is_some() {
            let mut surplus = open
                .iter()
                .filter(|entered| entered.reported)
                .count()
                .saturating_sub(MAX_REPORTED);
            open.retain(|entered| {
                let drops = entered.reported && surplus > 0;
                surplus -= usize::from(drops);
                !drops
            });
        }
        left
    }

    /// Forgets an isolate that has ended, or an earlier one at the same address.
    pub(crate) fn forget(&self, isolate: IsolateId) {
        self.open
            .borrow_mut()
            .retain(|entered| entered.isolate != isolate);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ISOLATE: IsolateId = IsolateId(1);
    const OTHER: IsolateId = IsolateId(2);
    const DISALLOW: Sibling = Sibling::DisallowJavascriptExecutionScope;

    fn place(ip: usize) -> Place {
        Place::code(ip, 0)
    }

    #[test]
    fn what_is_left_in_order_is_gone() {
        let siblings = Siblings::new();
        siblings.begin(ISOLATE, Sibling::Context, 0, place(1));
        let turn = siblings.begun();
        siblings.begin(ISOLATE, Sibling::Context, 0, place(2));
        siblings.begin(ISOLATE, DISALLOW, 0x10, place(3));
        siblings.end(ISOLATE, DISALLOW, 0x10);
        siblings.end(ISOLATE, Sibling::Context, 0);
        assert_eq!(siblings.take_since(ISOLATE, turn), None);
        // What was entered before the turn is not the turn's.
        assert_eq!(siblings.take_since(OTHER, 0), None);
        assert!(siblings.take_since(ISOLATE, 0).is_some());
    }

    #[test]
    fn what_is_not_left_is_returned_once_and_may_be_left_later() {
        let siblings = Siblings::new();
        siblings.begin(ISOLATE, Sibling::Context, 0, place(1));
        let turn = siblings.begun();
        siblings.begin(ISOLATE, DISALLOW, 0x10, place(2));
        siblings.begin(OTHER, Sibling::Context, 0, place(3));
        siblings.begin(ISOLATE, Sibling::Context, 0, place(4));
        let left = Left {
            what: DISALLOW,
            place: place(2),
            more: 1,
        };
        assert_eq!(siblings.take_since(ISOLATE, turn), Some(left));
        assert_eq!(siblings.take_since(ISOLATE, turn), None);
        siblings.end(ISOLATE, Sibling::Context, 0);
        siblings.end(ISOLATE, Sibling::Context, 0);
        assert_eq!(siblings.take_since(ISOLATE, 0), None, "the outer was left");
    }

    #[test]
    fn few_are_kept_of_what_is_never_left() {
        let siblings = Siblings::new();
        for turn in 0..1000 {
            siblings.begin(ISOLATE, Sibling::Context, 0, place(1));
            assert!(siblings.take_since(ISOLATE, turn).is_some());
        }
        assert_eq!(siblings.open.borrow().len(), MAX_REPORTED);
        siblings.forget(ISOLATE);
        assert!(siblings.open.borrow().is_empty());
    }
}
