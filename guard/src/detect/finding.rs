//! What the scope stack finds, as data.

use crate::config::rule::Rule;
use crate::engine::ids::IsolateId;
use crate::place::Place;
use std::fmt;

/// The kind of a scope, by V8's words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ScopeKind {
    /// Holds the handles made while it is the innermost.
    HandleScope,
    /// A `HandleScope` that hands one handle to its parent.
    EscapableHandleScope,
    /// Stands in for the scope that the engine opened round a callback.
    CallbackScope,
    /// Catches exceptions; holds no handles.
    TryCatch,
}

impl ScopeKind {
    /// Whether handles land in a scope of this kind, so that it adds to the depth.
    pub const fn holds_handles(self) -> bool {
        !matches!(self, Self::TryCatch)
    }

    /// By how much opening one raises the engine's level: a `CallbackScope` stands for one that is open already, or is not.
    pub(crate) const fn levels(self) -> u32 {
        matches!(self, Self::HandleScope | Self::EscapableHandleScope) as u32
    }

    /// Whether a guard of this kind can be of the scope that a hook takes for `hooked`.
    pub(crate) const fn adopts(self, hooked: Self) -> bool {
        match self {
            Self::HandleScope | Self::EscapableHandleScope => {
                matches!(hooked, Self::HandleScope)
            }
            Self::TryCatch => matches!(hooked, Self::TryCatch),
            // The engine opened its scope, and no hook sees that.
            Self::CallbackScope => false,
        }
    }
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandleScope => "HandleScope",
            Self::EscapableHandleScope => "EscapableHandleScope",
            Self::CallbackScope => "CallbackScope",
            Self::TryCatch => "TryCatch",
        })
    }
}

/// A scope of the stack, as a finding tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ScopeRef {
    /// Its number on its stack; later is higher.
    pub number: u64,
    /// Its kind.
    pub kind: ScopeKind,
    /// Who opened it.
    pub place: Place,
    /// Turns begun since it was opened.
    pub turns_ago: u64,
}

/// A turn, as a finding tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TurnRef {
    /// The turn's number, counted per stack from 1.
    pub number: u64,
    /// Where it was marked.
    pub place: Place,
    /// The phase of garbage collection, where it is one that a guard marks, and no turn of the loop.
    pub gc: Option<GcPhase>,
}

/// A moment at which the engine runs native code that garbage collection started, whatever it interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum GcPhase {
    /// Before or after a collection: a GC prologue or epilogue callback.
    Callback,
    /// A weak callback's first pass: it may drop what it holds of the object, and touch nothing of the engine.
    FirstPass,
    /// A weak callback's second pass, and so a finalizer: it may make handles, in a scope of its own. V8 runs it inside the
    /// collection that it follows, with JavaScript forbidden: a call ends the process (`execution.cc`, `Invoke`).
    SecondPass,
    /// The isolate is being torn down.
    Teardown,
}

impl GcPhase {
    /// Whether that may begin in it.
    pub(crate) const fn allows(self, beginning: Beginning) -> bool {
        matches!(self, Self::SecondPass) && !matches!(beginning, Beginning::Callback)
    }
}

impl fmt::Display for GcPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback => "GC callback",
            Self::FirstPass => "first-pass weak callback",
            Self::SecondPass => "finalizer",
            Self::Teardown => "teardown",
        })
    }
}

/// The scope in which handles land: as much as is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opener {
    /// A scope of our record.
    Known(ScopeRef),
    /// A scope that the engine has open and our record does not know: opened without a guard.
    Unseen,
    /// No scope is open at all.
    Nothing,
    /// The scope that the engine opened round the native code that JavaScript called, under this callback. Told of in strict
    /// mode only: from the loop, there would be no such scope.
    Caller(Place),
}

impl Opener {
    fn each_place(&mut self, change: &mut impl FnMut(&mut Place)) {
        match self {
            Self::Known(scope) => change(&mut scope.place),
            Self::Caller(place) => change(place),
            Self::Unseen | Self::Nothing => {}
        }
    }
}

/// What a scope still open was opened inside of, or what a close ran into.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Open {
    /// A scope.
    Scope(ScopeRef),
    /// A turn.
    Turn(TurnRef),
}

/// What came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ended {
    /// A call from the host into JavaScript.
    Callback(Place),
    /// A turn.
    Turn,
    /// The isolate.
    Isolate,
    /// The isolate's being entered on a thread.
    Exit(Place),
}

/// What begins in an isolate, or leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Beginning {
    /// A scope opens.
    Scope(ScopeKind),
    /// The host calls into JavaScript.
    Callback,
    /// A turn begins.
    Turn,
    /// The isolate is left by the thread.
    Exit,
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(kind) => kind.fmt(f),
            Self::Callback => f.write_str("callback"),
            Self::Turn => f.write_str("turn"),
            Self::Exit => f.write_str("exit"),
        }
    }
}

/// What [`ScopeStack`](crate::detect::stack::ScopeStack) found wrong: data, without judgement on what is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// [`Rule::MissingScope`].
    MissingScope {
        /// The callback that started.
        callback: Place,
        /// Where its handles land.
        opener: Opener,
        /// The turn it started in; `None` where no turn is marked.
        turn: Option<TurnRef>,
    },
    /// [`Rule::OuterGrowth`].
    OuterGrowth {
        /// The callback or turn that ended.
        ended: Ended,
        /// Where its handles are left.
        opener: Opener,
        /// The turn; the one that ended, or the one in which the callback ran.
        turn: TurnRef,
        /// Handles left.
        grown: u64,
    },
    /// [`Rule::OutOfOrder`].
    OutOfOrder {
        /// The scope that closes.
        closing: ScopeRef,
        /// The innermost of what was opened inside it and is still open.
        open: Open,
        /// How many more are open between the two.
        between: usize,
    },
    /// [`Rule::OutOfOrder`]: a scope closes that is not open.
    ClosedTwice {
        /// The scope's number; `None` where only a hook saw it close.
        number: Option<u64>,
    },
    /// [`Rule::NeverClosed`]: a scope is constructed where one lies that is still open, and can never close now.
    StorageReused {
        /// The scope that lies there.
        first: ScopeRef,
        /// Who constructs another.
        again: Place,
    },
    /// [`Rule::NeverClosed`].
    NeverClosed {
        /// The scope that is still open; [`Opener::Unseen`] where only the engine knows of it.
        scope: Opener,
        /// The turn or isolate that ended.
        ended: Ended,
        /// The turn, where a turn ended.
        turn: Option<TurnRef>,
    },
    /// [`Rule::ScopeBudget`].
    ScopeBudget {
        /// The scope, still open.
        scope: ScopeRef,
        /// Handles in it.
        held: u64,
        /// What it may hold.
        budget: u64,
    },
    /// [`Rule::Sealed`].
    Sealed {
        /// Where the handle goes, or would go if the engine did not end the process.
        opener: Opener,
        /// The turn; `None` where none is marked, or no scope is open at all.
        turn: Option<TurnRef>,
    },
    /// [`Rule::InGc`].
    InGc {
        /// What begins.
        beginning: Beginning,
        /// Where.
        place: Place,
        /// The phase in which it may not.
        phase: GcPhase,
        /// Where a guard marks the phase; `None` where the engine told of it.
        marked: Option<Place>,
    },
    /// [`Rule::RedundantScope`].
    RedundantScope {
        /// The scopes' kind.
        kind: ScopeKind,
        /// Who opens them.
        place: Place,
        /// How many there were.
        uses: u64,
    },
    /// [`Rule::Desync`].
    Desync {
        /// The level inside the innermost frame of the record.
        recorded: u32,
        /// The engine's.
        level: u32,
        /// What that frame is of.
        innermost: Place,
    },
    /// [`Rule::WrongThread`].
    WrongThread {
        /// What begins.
        beginning: Beginning,
        /// Where.
        place: Place,
    },
    /// [`Rule::WrongIsolate`].
    WrongIsolate {
        /// What begins.
        beginning: Beginning,
        /// Where.
        place: Place,
        /// The isolate that is entered.
        entered: IsolateId,
    },
}

impl Finding {
    /// The rule that was violated.
    pub fn rule(&self) -> Rule {
        match self {
            Self::MissingScope { .. } => Rule::MissingScope,
            Self::OuterGrowth { .. } => Rule::OuterGrowth,
            Self::OutOfOrder { .. } | Self::ClosedTwice { .. } => Rule::OutOfOrder,
            Self::NeverClosed { .. } | Self::StorageReused { .. } => Rule::NeverClosed,
            Self::ScopeBudget { .. } => Rule::ScopeBudget,
            Self::WrongThread { .. } => Rule::WrongThread,
            Self::WrongIsolate { .. } => Rule::WrongIsolate,
            Self::Sealed { .. } => Rule::Sealed,
            Self::InGc { .. } => Rule::InGc,
            Self::RedundantScope { .. } => Rule::RedundantScope,
            Self::Desync { .. } => Rule::Desync,
        }
    }

    /// The callback concerned, if any.
    pub fn callback(&self) -> Option<Place> {
        match *self {
            Self::MissingScope { callback, .. } => Some(callback),
            Self::OuterGrowth {
                ended: Ended::Callback(callback),
                ..
            } => Some(callback),
            Self::WrongThread {
                beginning: Beginning::Callback,
                place,
            }
            | Self::WrongIsolate {
                beginning: Beginning::Callback,
                place,
                ..
            }
            | Self::InGc {
                beginning: Beginning::Callback,
                place,
                ..
            } => Some(place),
            _ => None,
        }
    }

    /// The scope concerned, if our record knows it.
    pub fn opener(&self) -> Option<ScopeRef> {
        match *self {
            Self::MissingScope { opener, .. }
            | Self::OuterGrowth { opener, .. }
            | Self::Sealed { opener, .. }
            | Self::NeverClosed { scope: opener, .. } => match opener {
                Opener::Known(scope) => Some(scope),
                Opener::Unseen | Opener::Nothing | Opener::Caller(_) => None,
            },
            Self::OutOfOrder { closing, .. } => Some(closing),
            Self::StorageReused { first, .. } => Some(first),
            Self::ScopeBudget { scope, .. } => Some(scope),
            Self::ClosedTwice { .. }
            | Self::WrongThread { .. }
            | Self::WrongIsolate { .. }
            | Self::InGc { .. }
            | Self::RedundantScope { .. }
            | Self::Desync { .. } => None,
        }
    }

    /// The turn concerned, if any.
    pub fn turn(&self) -> Option<TurnRef> {
        match *self {
            Self::MissingScope { turn, .. }
            | Self::NeverClosed { turn, .. }
            | Self::Sealed { turn, .. } => turn,
            Self::OuterGrowth { turn, .. } => Some(turn),
            Self::OutOfOrder {
                open: Open::Turn(turn),
                ..
            } => Some(turn),
            Self::OutOfOrder { .. }
            | Self::ClosedTwice { .. }
            | Self::StorageReused { .. }
            | Self::ScopeBudget { .. }
            | Self::WrongThread { .. }
            | Self::WrongIsolate { .. }
            | Self::InGc { .. }
            | Self::RedundantScope { .. }
            | Self::Desync { .. } => None,
        }
    }

    /// The place to look at first: the callback, else what was opened, else the turn.
    pub fn place(&self) -> Option<Place> {
        match *self {
            Self::OuterGrowth {
                ended: Ended::Turn,
                turn,
                ..
            } => Some(turn.place),
            Self::WrongThread { place, .. }
            | Self::WrongIsolate { place, .. }
            | Self::InGc { place, .. }
            | Self::StorageReused { again: place, .. }
            | Self::RedundantScope { place, .. }
            | Self::Desync {
                innermost: place, ..
            }
            | Self::NeverClosed {
                ended: Ended::Exit(place),
                ..
            } => Some(place),
            _ => self
                .callback()
                .or(self.opener().map(|scope| scope.place))
                .or(self.turn().map(|turn| turn.place)),
        }
    }

    /// Handles known to be left behind, or held, at the moment of the finding.
    pub fn handles(&self) -> u64 {
        match *self {
            Self::OuterGrowth { grown, .. } => grown,
            Self::ScopeBudget { held, .. } => held,
            _ => 0,
        }
    }

    /// The same with each place changed by `f`.
    pub(crate) fn map_places(mut self, mut f: impl FnMut(Place) -> Place) -> Self {
        let mut change = |place: &mut Place| *place = f(*place);
        match &mut self {
            Self::MissingScope {
                callback,
                opener,
                turn,
            } => {
                change(callback);
                opener.each_place(&mut change);
                if let Some(turn) = turn {
                    change(&mut turn.place);
                }
            }
            Self::OuterGrowth {
                ended,
                opener,
                turn,
                ..
            } => {
                if let Ended::Callback(callback) = ended {
                    change(callback);
                }
                opener.each_place(&mut change);
                change(&mut turn.place);
            }
            Self::OutOfOrder { closing, open, .. } => {
                change(&mut closing.place);
                match open {
                    Open::Scope(scope) => change(&mut scope.place),
                    Open::Turn(turn) => change(&mut turn.place),
                }
            }
            Self::ClosedTwice { .. } => {}
            Self::StorageReused { first, again } => {
                change(&mut first.place);
                change(again);
            }
            Self::Sealed { opener, turn } => {
                opener.each_place(&mut change);
                if let Some(turn) = turn {
                    change(&mut turn.place);
                }
            }
            Self::InGc { place, marked, .. } => {
                change(place);
                if let Some(marked) = marked {
                    change(marked);
                }
            }
            Self::RedundantScope { place, .. } => change(place),
            Self::Desync { innermost, .. } => change(innermost),
            Self::NeverClosed { scope, ended, turn } => {
                scope.each_place(&mut change);
                if let Ended::Exit(place) = ended {
                    change(place);
                }
                if let Some(turn) = turn {
                    change(&mut turn.place);
                }
            }
            Self::ScopeBudget { scope, .. } => change(&mut scope.place),
            Self::WrongThread { place, .. } | Self::WrongIsolate { place, .. } => change(place),
        }
        self
    }

    /// The same cause has the same value, whenever and on whichever isolate it is seen: the parts that tell one
    /// occurrence from the next (numbers, ages, amounts) are left out.
    pub(crate) fn cause(&self) -> impl std::hash::Hash {
        let identity = |place: Option<Place>| place.map_or((0, 0), |place| place.identity());
        (
            self.rule(),
            self.opener().map(|scope| scope.kind),
            identity(self.callback()),
            identity(self.opener().map(|scope| scope.place)),
            identity(self.turn().map(|turn| turn.place)),
            identity(self.place()),
        )
    }
}
