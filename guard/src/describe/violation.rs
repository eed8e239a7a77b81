//! A violation as data.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::describe::finding::Finding;
use crate::describe::first_user::FirstUser;
use crate::describe::makers::{Maker, Makers};
use crate::engine::ids::IsolateId;
use crate::engine::wording::Wording;
use crate::place::{Location, Place, intern};
use crate::symbolize::frame::Frame;
use crate::symbolize::names;
use crate::symbolize::trace::Trace;
use std::cell::LazyCell;
use std::panic;
use std::sync::Arc;

/// One occurrence of a violated rule: what was found, where, and by which stack.
///
/// [`Display`](std::fmt::Display) is the whole message; [`sentence`](Self::sentence) its first line. Both are the same in
/// abort, panic and log.
#[derive(Clone, Debug)]
pub struct Violation {
    pub(crate) finding: Finding,
    /// The rule's action as configured.
    pub(crate) configured: Action,
    /// The add-on whose policy that action is.
    pub(crate) policy: Option<&'static str>,
    /// Why another action than the configured one was taken, if so.
    pub(crate) note: Option<&'static str>,
    pub(crate) thread: String,
    pub(crate) isolate: IsolateId,
    pub(crate) callee: Option<String>,
    /// The thread that used the isolate first, where another thread did.
    pub(crate) first_user: Option<FirstUser>,
    pub(crate) handles: u64,
    /// Handles alive in all open scopes at that moment.
    pub(crate) alive: Option<u64>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) wording: &'static Wording,
}

/// The frame of the function with the call at `location`. `is_innermost`: it is the innermost function of the user's, so it can be known
/// where frames have no lines.
fn caller_at<'a>(
    frames: &'a [Frame],
    location: &panic::Location<'_>,
    is_innermost: bool,
) -> Option<&'a Frame> {
    let mut users = frames.iter().filter(|frame| frame.is_named_native());
    let innermost = users.clone().next().filter(|_| is_innermost);
    users
        .find(|frame| frame.is_at(location.file(), location.line()))
        .or(innermost)
}

impl Violation {
    /// The same with the name and line of each place that is known only by its code, and with the function of each that is known only by
    /// its line; `None` if there is no such place.
    ///
    /// Slow, for it reads the program's symbols.
    pub(crate) fn named(&self) -> Option<Self> {
        let classifier = self.wording.classifier;
        let finding = self
            .finding
            .map_places(|place| names::named(place, classifier));
        let first_user = self.first_user.as_ref().map(|first| FirstUser {
            place: names::named(first.place, classifier),
            ..first.clone()
        });
        let finding = finding.with_makers(|makers| {
            makers.map(|maker| match maker.place.location {
                Location::Frames(stack) => {
                    let [place, caller] = names::users_of(stack, classifier);
                    Maker {
                        place: place.unwrap_or(maker.place),
                        caller,
                        ..maker
                    }
                }
                _ => maker,
            })
        });
        let frames = LazyCell::new(|| self.trace.frames());
        let callback = finding.callback();
        let finding = finding.map_places(|place| match place.location {
            Location::Source(location) if place.name.is_none() => {
                let frame = caller_at(&frames, location, Some(place) == callback);
                Place {
                    name: frame.and_then(|frame| intern::name_of(&frame.function)),
                    ..place
                }
            }
            _ => place,
        });
        let places = |user: &Option<FirstUser>| user.as_ref().map(|user| user.place);
        if finding == self.finding && places(&first_user) == places(&self.first_user) {
            return None;
        }
        Some(Self {
            finding,
            first_user,
            ..self.clone()
        })
    }

    /// The same for handles that were made by `makers`: the stack is that of the first handle. Script that runs directly under the turn
    /// is in a scope of the engine's, so the functions of the script on that stack are those of the script that called the turn.
    pub(crate) fn made_by(&self, makers: Makers) -> Self {
        Self {
            finding: self.finding.with_makers(|_| makers),
            trace: match makers.first_stack() {
                Some(stack) => Arc::new(self.trace.of_stack(&stack.around)),
                None => Arc::clone(&self.trace),
            },
            ..self.clone()
        }
    }

    /// The rule that was violated.
    pub fn rule(&self) -> Rule {
        self.finding.rule()
    }

    /// What was found, as data.
    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    /// The name of the thread; `<unnamed>` if it has none.
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The isolate.
    pub fn isolate(&self) -> IsolateId {
        self.isolate
    }

    /// The JavaScript function that was called, with its script and line, where known.
    pub fn callee(&self) -> Option<&str> {
        self.callee.as_deref()
    }

    /// Handles that the violation left in the outer scope, as far as they have been counted.
    pub fn handles(&self) -> u64 {
        self.handles
    }

    /// Handles alive in all open scopes of the isolate at that moment, where the engine counts them.
    pub fn alive(&self) -> Option<u64> {
        self.alive
    }

    /// The native stack.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}
