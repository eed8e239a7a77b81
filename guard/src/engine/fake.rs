//! The engine of the tests: counts that are set by hand.

use crate::engine::capabilities::Capabilities;
use crate::engine::ids::IsolateId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::wording::{FrameClassifier, Wording};
use std::cell::Cell;

/// One instance; leaked, so that it can be as small as a reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fake(&'static State);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) isolate: IsolateId,
    pub(crate) level: Cell<Option<u32>>,
    pub(crate) handles: Cell<Option<u64>>,
}

impl Fake {
    pub(crate) fn new(isolate: IsolateId) -> Self {
        Self(Box::leak(Box::new(State {
            isolate,
            level: Cell::new(None),
            handles: Cell::new(None),
        })))
    }
}

impl std::ops::Deref for Fake {
    type Target = State;

    fn deref(&self) -> &State {
        self.0
    }
}

impl Engine for Fake {
    const WORDING: &'static Wording = &Wording {
        open_scope: "let _scope = arena.scope();",
        mark_turn: "let _turn = arena.turn();",
        enter_isolate: "arena.enter();",
        classifier: FrameClassifier::NONE,
    };

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        self.isolate
    }

    #[expect(unsafe_code, reason = "a fake isolate is leaked, so it is always live")]
    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }
}

impl LiveIsolate for Fake {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        self.level.get()
    }

    fn handles(self) -> Option<u64> {
        self.handles.get()
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: Ok("set by the test".to_owned()),
            handles: Ok("set by the test".to_owned()),
            hooks: Err("not in a test".to_owned()),
        }
    }
}
