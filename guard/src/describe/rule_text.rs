//! What the file of a rule provides.

use crate::config::rule::Rule;
use crate::describe::first_user::FirstUser;
use crate::describe::lines::Lines;
use crate::describe::scope::ScopeRef;
use crate::describe::turn::TurnRef;
use crate::engine::wording::Wording;
use crate::place::Place;
use std::fmt;

/// The words for one finding, and the places that it names.
///
/// The methods in the first half make up the message, in this order; the methods in the second half are what log fields, the
/// site table and the public methods of [`Finding`](crate::describe::finding::Finding) need.
pub(crate) trait RuleText {
    /// The rule that is violated.
    fn rule(&self) -> Rule;

    /// One sentence with both places, without a full stop.
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The labelled lines that only this finding has.
    fn details(&self, lines: &mut Lines<'_, '_>, evidence: &Evidence<'_>) -> fmt::Result;

    /// A note on how the verdict was reached, where that needs one.
    fn note(&self) -> Option<&'static str> {
        None
    }

    /// The remedy, as code that compiles in the user's program where that is possible.
    fn help(&self, f: &mut fmt::Formatter<'_>, wording: &Wording) -> fmt::Result;

    /// When the backtrace was taken: `at the start of the callback`.
    fn caption(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The callback concerned, if any.
    fn callback(&self) -> Option<Place> {
        None
    }

    /// The recorded scope concerned, if any.
    fn opener(&self) -> Option<ScopeRef> {
        None
    }

    /// The turn concerned, if any.
    fn turn(&self) -> Option<TurnRef> {
        None
    }

    /// The place to look at first: the callback, else the scope, else the turn.
    fn place(&self) -> Option<Place> {
        self.callback()
            .or(self.opener().map(|scope| scope.place))
            .or(self.turn().map(|turn| turn.place))
    }

    /// Handles known to be left behind, or held, when the finding was made.
    fn handles(&self) -> u64 {
        0
    }

    /// Whether the engine may end the process right after it, or corrupt its memory: the report cannot wait then.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Whether the message has a line for the turn. Not needed where the finding's own lines name the turn.
    fn shows_turn(&self) -> bool {
        true
    }

    /// Changes each place in the finding.
    fn map_places(&mut self, change: &mut dyn FnMut(&mut Place));
}

/// What was read at the moment of the finding, for the labelled lines.
pub(crate) struct Evidence<'a> {
    /// The JavaScript function that was called, with its script and line.
    pub(crate) callee: Option<&'a str>,
    /// The thread that used the isolate first, where another thread did.
    pub(crate) first_user: Option<&'a FirstUser>,
    /// Handles alive in all open scopes of the isolate.
    pub(crate) alive: Option<u64>,
}

/// Makes one text both the documentation of a struct and the `EXPLANATION` of its rule, so that docs.rs and
/// [`Rule::explanation`] show the same.
macro_rules! explained {
    ($text:literal $item:item) => {
        #[doc = $text]
        $item

        /// The text of [`Rule::explanation`](crate::config::rule::Rule::explanation).
        pub(crate) const EXPLANATION: &str = $text;
    };
}
pub(crate) use explained;
