//! What handleguard found wrong, as data.
//!
//! A [`Finding`] holds one struct, which names the places concerned; the struct's documentation explains the rule at length.

pub use crate::describe::beginning::Beginning;
pub use crate::describe::ended::Ended;
pub use crate::describe::gc_phase::GcPhase;
pub use crate::describe::makers::{Maker, Makers, Seen};
pub use crate::describe::opener::Opener;
pub use crate::describe::rules::desync::Desync;
pub use crate::describe::rules::global_growth::{GlobalGrowth, GlobalMaker, Steps};
pub use crate::describe::rules::in_gc::InGc;
pub use crate::describe::rules::missing_scope::MissingScope;
pub use crate::describe::rules::never_closed::{NeverClosed, StorageReused};
pub use crate::describe::rules::not_left::NotLeft;
pub use crate::describe::rules::out_of_order::{ClosedTwice, NotOpen, OutOfOrder, StillOpen};
pub use crate::describe::rules::outer_growth::OuterGrowth;
pub use crate::describe::rules::redundant_scope::RedundantScope;
pub use crate::describe::rules::scope_budget::ScopeBudget;
pub use crate::describe::rules::scope_growth::ScopeGrowth;
pub use crate::describe::rules::sealed::Sealed;
pub use crate::describe::rules::wrong_isolate::WrongIsolate;
pub use crate::describe::rules::wrong_thread::WrongThread;
pub use crate::describe::scope::{ScopeKind, ScopeRef};
pub use crate::describe::sibling::Sibling;
pub use crate::describe::turn::TurnRef;

use crate::config::rule::Rule;
use crate::describe::rule_text::RuleText;
use crate::describe::rules;
use crate::place::Place;
use std::fmt;

/// What was found wrong. `Display` is the first line of its message: the rule, and one sentence with both places.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// [`Rule::MissingScope`].
    MissingScope(MissingScope),
    /// [`Rule::OuterGrowth`].
    OuterGrowth(OuterGrowth),
    /// [`Rule::ScopeBudget`].
    ScopeBudget(ScopeBudget),
    /// [`Rule::ScopeGrowth`].
    ScopeGrowth(ScopeGrowth),
    /// [`Rule::Sealed`].
    Sealed(Sealed),
    /// [`Rule::OutOfOrder`]: a scope closed around one that is still open.
    OutOfOrder(OutOfOrder),
    /// [`Rule::OutOfOrder`]: a scope closed that was not open.
    ClosedTwice(ClosedTwice),
    /// [`Rule::OutOfOrder`]: a scope object was destroyed that was not open.
    NotOpen(NotOpen),
    /// [`Rule::NeverClosed`].
    NeverClosed(NeverClosed),
    /// [`Rule::NeverClosed`]: a scope was constructed in the memory of one that is still open.
    StorageReused(StorageReused),
    /// [`Rule::NeverClosed`]: a context or another sibling of a handle scope was not left.
    NotLeft(NotLeft),
    /// [`Rule::WrongThread`].
    WrongThread(WrongThread),
    /// [`Rule::WrongIsolate`].
    WrongIsolate(WrongIsolate),
    /// [`Rule::InGc`].
    InGc(InGc),
    /// [`Rule::RedundantScope`].
    RedundantScope(RedundantScope),
    /// [`Rule::GlobalGrowth`].
    GlobalGrowth(GlobalGrowth),
    /// [`Rule::Desync`].
    Desync(Desync),
}

/// The one list of all findings: what each variant holds, as a `dyn RuleText`, shared or exclusive as `$finding` is.
macro_rules! text_of {
    ($finding:expr) => {
        match $finding {
            Finding::MissingScope(text) => text,
            Finding::OuterGrowth(text) => text,
            Finding::ScopeBudget(text) => text,
            Finding::ScopeGrowth(text) => text,
            Finding::Sealed(text) => text,
            Finding::OutOfOrder(text) => text,
            Finding::ClosedTwice(text) => text,
            Finding::NotOpen(text) => text,
            Finding::NeverClosed(text) => text,
            Finding::StorageReused(text) => text,
            Finding::NotLeft(text) => text,
            Finding::WrongThread(text) => text,
            Finding::WrongIsolate(text) => text,
            Finding::InGc(text) => text,
            Finding::RedundantScope(text) => text,
            Finding::GlobalGrowth(text) => text,
            Finding::Desync(text) => text,
        }
    };
}

impl Finding {
    /// The words for the finding.
    pub(crate) fn text(&self) -> &dyn RuleText {
        text_of!(self)
    }

    /// The rule that was violated.
    pub fn rule(&self) -> Rule {
        self.text().rule()
    }

    /// The callback concerned, if any.
    pub fn callback(&self) -> Option<Place> {
        self.text().callback()
    }

    /// The scope concerned, if it was recorded.
    pub fn opener(&self) -> Option<ScopeRef> {
        self.text().opener()
    }

    /// The turn concerned, if any.
    pub fn turn(&self) -> Option<TurnRef> {
        self.text().turn()
    }

    /// The place to look at first: the callback, else what was opened, else the turn.
    pub fn place(&self) -> Option<Place> {
        self.text().place()
    }

    /// Handles known to be left behind, or held, when the finding was made.
    pub fn handles(&self) -> u64 {
        self.text().handles()
    }

    /// The same finding with each place changed by `change`.
    pub(crate) fn map_places(mut self, change: impl Fn(Place) -> Place) -> Self {
        let text: &mut dyn RuleText = text_of!(&mut self);
        text.map_places(&mut |place| *place = change(*place));
        self
    }

    /// The functions that made the handles that were left, as far as they were seen.
    pub fn makers(&self) -> Makers {
        match self {
            Self::OuterGrowth(growth) => growth.makers,
            _ => Makers::default(),
        }
    }

    /// The same finding with its makers changed by `change`, if it is one that has makers.
    pub(crate) fn with_makers(mut self, change: impl FnOnce(Makers) -> Makers) -> Self {
        if let Self::OuterGrowth(growth) = &mut self {
            growth.makers = change(growth.makers);
        }
        self
    }

    /// A value that is the same for each occurrence of one cause, at any time and in any isolate. It leaves out what differs
    /// from one occurrence to the next: numbers, ages, amounts.
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

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.rule())?;
        self.text().sentence(f)
    }
}

impl Rule {
    /// What is wrong, why it matters, an example of wrong code and of right code, and how to silence the rule, as Markdown.
    /// The documentation of the rule's struct in [`finding`](crate::finding) is the same text.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::MissingScope => rules::missing_scope::EXPLANATION,
            Self::OuterGrowth => rules::outer_growth::EXPLANATION,
            Self::ScopeBudget => rules::scope_budget::EXPLANATION,
            Self::ScopeGrowth => rules::scope_growth::EXPLANATION,
            Self::Sealed => rules::sealed::EXPLANATION,
            Self::OutOfOrder => rules::out_of_order::EXPLANATION,
            Self::NeverClosed => rules::never_closed::EXPLANATION,
            Self::WrongThread => rules::wrong_thread::EXPLANATION,
            Self::WrongIsolate => rules::wrong_isolate::EXPLANATION,
            Self::InGc => rules::in_gc::EXPLANATION,
            Self::RedundantScope => rules::redundant_scope::EXPLANATION,
            Self::GlobalGrowth => rules::global_growth::EXPLANATION,
            Self::Desync => rules::desync::EXPLANATION,
        }
    }
}

/// Lets a verdict return the struct itself with `.into()`.
macro_rules! from_each {
    ($($rule:ident)*) => {$(
        impl From<$rule> for Finding {
            fn from(finding: $rule) -> Self {
                Self::$rule(finding)
            }
        }
    )*};
}

from_each! {
    MissingScope OuterGrowth ScopeBudget ScopeGrowth Sealed OutOfOrder ClosedTwice NotOpen NeverClosed StorageReused NotLeft WrongThread WrongIsolate InGc
    RedundantScope GlobalGrowth Desync
}
