use crate::entry::Entered;
use crate::recent::Counters;
use crate::stack::FrameId;
use std::fmt;

/// Identity of one engine instance: V8's isolate, or its like in another engine.
///
/// The value is an address and may come back once the instance is gone; [`end_isolate`](crate::end_isolate) ends its
/// record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IsolateId(pub usize);

impl fmt::Display for IsolateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The engine's own state at one moment. Either part may be unknown, and a verdict that needs it is then left to the
/// scope stack, or not given.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// Open handle scopes of the isolate, as the engine counts them (`HandleScopeData::level` in V8).
    pub level: Option<u32>,
    /// Handles alive in all open scopes of the isolate together.
    pub handles: Option<u64>,
}

/// Where an engine puts the next handle: it makes them one beside the other in blocks of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The address of the next handle.
    pub next: usize,
    /// The end of the block.
    pub limit: usize,
}

impl Cursor {
    /// Handles made since `earlier` and still alive. `None` if another block was taken in between, or the block was sealed.
    #[inline]
    pub fn since(self, earlier: Self) -> Option<u64> {
        let bytes = self.next.checked_sub(earlier.next)?;
        (self.limit == earlier.limit).then_some((bytes / size_of::<usize>()) as u64)
    }
}

/// What the checker asks of an engine instance. Implemented once per engine, ten lines; `handleguard-v8` has V8's.
///
/// A value names one live instance, and is kept in each guard: make it as small as a pointer.
pub trait Engine: Copy + 'static {
    /// The engine's own words, for messages.
    const DIALECT: &'static Dialect;

    /// Whether the guards are dropped by Rust code that a panic may unwind. Not where another language ends them: `panic`
    /// aborts there.
    const UNWINDS: bool = true;

    /// Which instance this is.
    fn isolate(self) -> IsolateId;

    /// Open handle scopes now, if that can be read.
    fn level(self) -> Option<u32>;

    /// Handles alive now, if that can be read.
    fn handles(self) -> Option<u64>;

    /// Where the next handle goes, if that can be read. Asked at each scope, so a load or two.
    fn cursor(self) -> Option<Cursor> {
        None
    }

    /// Where level and cursor are counted, so that a guard can look by itself.
    fn counters(self) -> Option<Counters> {
        None
    }

    /// Whether the handle at that address is surely one of this instance.
    fn holds(self, _handle: usize) -> bool {
        false
    }

    /// Which instance is entered on this thread.
    fn entered(self) -> Entered {
        Entered::Unknown
    }

    /// Whether that is surely this one.
    #[inline]
    fn is_entered(self) -> bool {
        self.entered() == Entered::Isolate(self.isolate())
    }

    /// Has the engine refuse every handle until a scope is opened, for the turn of that name; whether it does.
    fn seal(self, _turn: FrameId) -> bool {
        false
    }

    /// Ends that.
    fn unseal(self, _turn: FrameId) {}

    /// Whether a refused handle can be let through after all, so that `sealed` can have an action that goes on.
    fn can_rescue(self) -> bool {
        false
    }

    /// What can be read of this engine and what can't. Asked once, for the start-up line.
    fn sight(self) -> Sight;

    /// The frames of script that are on the stack, innermost first. Asked where a violation is described, and must change no
    /// count of the host.
    fn script_frames(self) -> Vec<ScriptFrame> {
        Vec::new()
    }
}

/// How messages speak of an engine: its word for a scope, and code that compiles in the user's program.
#[derive(PartialEq, Eq, Debug)]
pub struct Dialect {
    /// A statement that opens a scope to the end of the block.
    pub open_scope: &'static str,
    /// A statement that marks a turn to the end of the block.
    pub mark_turn: &'static str,
    /// How its frames are told from the user's.
    pub layer: &'static Layer,
}

/// How the frames of an engine, and of what binds it, are told from the user's in a stack.
#[derive(PartialEq, Eq, Debug)]
pub struct Layer {
    /// The engine's name.
    pub name: &'static str,
    /// `Some(file!())` of a file of the crate that implements [`Engine`]: functions in its folder are left out of stacks, as
    /// the checker's own.
    pub file: Option<&'static str>,
    /// How the folder of the crate that binds the engine begins, as in `v8-` for `v8-150.4.0`.
    pub engine_crate: Option<&'static str>,
    /// How the names of the engine's functions begin, those of the binding crate's apart.
    pub engine_symbols: &'static [&'static str],
    /// How the names of those functions begin in which one function of the script runs.
    pub script_symbols: &'static [&'static str],
}

impl Layer {
    /// An engine without frames of its own.
    pub const NONE: &'static Self = &Self {
        name: "the engine",
        file: None,
        engine_crate: None,
        engine_symbols: &[],
        script_symbols: &[],
    };
}

/// One frame of the script that the engine runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFrame {
    /// The function's name.
    pub function: String,
    /// The script's name.
    pub script: String,
    /// Where in the script, counted from 1.
    pub line: u32,
    /// Where in the line, counted from 1.
    pub column: u32,
}

/// What the checker can see of an engine. Each part is either how it is seen, or why it is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sight {
    /// The engine's own count of open scopes.
    pub level: Result<String, String>,
    /// The engine's count of handles.
    pub handles: Result<String, String>,
    /// Scopes and calls of code that does not use the checker's guards.
    pub hooks: Result<String, String>,
}

/// The engine of the tests: counts that are set by hand.
#[cfg(test)]
pub(crate) mod fake {
    use super::*;
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
        const DIALECT: &'static Dialect = &Dialect {
            open_scope: "let _scope = arena.scope();",
            mark_turn: "let _turn = arena.turn();",
            layer: Layer::NONE,
        };

        fn isolate(self) -> IsolateId {
            self.isolate
        }

        fn level(self) -> Option<u32> {
            self.level.get()
        }

        fn handles(self) -> Option<u64> {
            self.handles.get()
        }

        fn sight(self) -> Sight {
            Sight {
                level: Ok("set by the test".to_owned()),
                handles: Ok("set by the test".to_owned()),
                hooks: Err("not in a test".to_owned()),
            }
        }
    }
}
