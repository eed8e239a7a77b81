//! Who makes the persistent handles of an isolate, counted while their number grows.

use crate::describe::rules::global_growth::GlobalMaker;
use crate::place::Place;
use std::collections::HashMap;

/// How many handles are followed from when they are made: a limit for the memory, and for what it costs to walk the stack.
const MAX_FOLLOWED: usize = 512;

/// How many must have been followed before anybody is named.
const ENOUGH: u64 = 16;

/// The makers. Nothing is counted until the handles are seen to grow, and nothing any more once [`MAX_FOLLOWED`] were counted.
#[derive(Debug, Default)]
pub(super) struct PersistentMakers {
    counting: bool,
    /// The persistent handles alive when the count began, and when it was over.
    alive_before: u64,
    alive_after: Option<u64>,
    /// The handles that were followed, by their addresses, until they are reset: each with its maker's index.
    followed: HashMap<usize, usize>,
    makers: Vec<GlobalMaker>,
}

impl PersistentMakers {
    /// Starts to count, or forgets everything, if that is a change; `handles` are alive. Otherwise notes how many are alive when
    /// [`MAX_FOLLOWED`] were counted.
    pub(super) fn count(&mut self, counting: bool, handles: u64) {
        if self.counting != counting {
            *self = Self {
                counting,
                alive_before: handles,
                ..Self::default()
            };
        } else if self.is_just_over() {
            self.alive_after = Some(handles);
        }
    }

    /// Whether those that were followed and are not reset explain a good part of the growth while they were counted; `handles` are
    /// alive now.
    pub(super) fn explain_growth(&self, handles: u64) -> bool {
        let after = self.alive_after.unwrap_or(handles);
        let alive = self.followed.len() as u64;
        alive >= ENOUGH && 4 * alive >= after.saturating_sub(self.alive_before)
    }

    /// Whether a handle that is made now is counted.
    pub(super) fn is_counting(&self) -> bool {
        self.counting && self.counted() < MAX_FOLLOWED as u64
    }

    /// Whether as many as are followed were counted, and nobody has noted yet how many handles are alive.
    pub(super) fn is_just_over(&self) -> bool {
        self.counting && !self.is_counting() && self.alive_after.is_none()
    }

    /// Counts a handle that was made.
    pub(super) fn made(&mut self, handle: usize, place: impl FnOnce() -> Place) {
        if !self.is_counting() {
            return;
        }
        let place = place();
        let known = self.makers.iter().position(|maker| maker.place == place);
        let at = known.unwrap_or_else(|| {
            self.makers.push(GlobalMaker {
                place,
                made: 0,
                reset: 0,
            });
            self.makers.len() - 1
        });
        self.makers[at].made += 1;
        self.followed.insert(handle, at);
    }

    /// Counts that a handle is reset, if it was followed.
    pub(super) fn reset(&mut self, handle: usize) {
        if let Some(at) = self.followed.remove(&handle) {
            self.makers[at].reset += 1;
        }
    }

    /// How many handles were counted.
    pub(super) fn counted(&self) -> u64 {
        self.makers.iter().map(|maker| maker.made).sum()
    }

    /// The maker of at least half of the handles that were counted and not reset.
    pub(super) fn most(&self) -> Option<GlobalMaker> {
        let alive = |maker: &GlobalMaker| maker.made - maker.reset;
        let all: u64 = self.makers.iter().map(alive).sum();
        let most = self.makers.iter().max_by_key(|maker| alive(maker))?;
        (self.counted() >= ENOUGH && all > 0 && 2 * alive(most) >= all).then_some(*most)
    }
}
