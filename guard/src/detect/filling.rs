//! One open scope that takes block after block of handles, and whether a loop fills it.
//!
//! A scope that takes many blocks is no bug by itself: an array of 100,000 elements takes a hundred. What distinguishes a loop
//! that does not end from right code:
//!
//! | evidence | a loop that leaks | right code |
//! |---|---|---|
//! | scopes and calls begun from one block to the next | the same each time, or at least some | none in an array or a JSON text; irregular in a start-up |
//! | how many of them in all | grows without end | a batch has some thousands |
//! | how long it goes on | as long as the process | seconds |
//! | earlier scopes of the same opener | there are none | have taken as many blocks, and have closed |
//!
//! The thresholds are what separated leaks from the start-up of a Deno runtime, batches of listeners, a test of thousands of
//! snippets, arrays and JSON texts of a million elements.

use crate::describe::scope::ScopeKind;
use crate::detect::stack::outcome::ReportRef;
use crate::engine::ids::EntryId;
use crate::place::{CodeFrames, Location, Place};
use crate::unwind::truncated::MAX_FRAMES;
use std::collections::VecDeque;
use std::time::Duration;

/// How many blocks a scope takes before it is judged.
const MIN_BLOCKS: usize = 4;

/// How many scopes and calls must have begun in the scope, for a verdict by number.
const MIN_BEGUN: u64 = 1 << 14;

/// A verdict by number also needs this many of them for each of the last [`EVEN`] blocks, within a tenth of each other; ...
const MIN_BEGUN_EACH: u64 = 8;
const EVEN: usize = 3;

/// ... or, of a scope with this many blocks, at least one for each of the last [`MIXED`].
const MANY_BLOCKS: usize = 32;
const MIXED: usize = 8;

/// How long the scope must have been filled, for a verdict by time.
const LONG: Duration = Duration::from_secs(60);

/// How many samples of who fills the scope are kept.
const SAMPLES: usize = 4;

/// One open scope that has taken three blocks or more.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) scope: EntryId,
    pub(crate) kind: ScopeKind,
    /// The opener, to be named later.
    pub(crate) place: Place,
    pub(crate) blocks: usize,
    first: Mark,
    /// The beginnings of the last blocks, the newest last.
    marks: VecDeque<Mark>,
    /// The stacks that began them, as far as they are known.
    samples: VecDeque<Place>,
    /// A block began in it while a turn ran. `outer-growth` judges what fills it.
    pub(crate) in_turns: bool,
    /// The report that covers further blocks.
    pub(crate) report_ref: Option<ReportRef>,
}

/// The moment at which a block began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// How many scopes and calls had begun on the thread.
    pub(crate) begun: u64,
    pub(crate) at: Duration,
}

impl Filling {
    /// A scope that begins its third block.
    pub(crate) fn new(scope: EntryId, kind: ScopeKind, place: Place, mark: Mark) -> Self {
        Self {
            scope,
            kind,
            place,
            blocks: 0,
            first: mark,
            marks: VecDeque::with_capacity(MIXED + 1),
            samples: VecDeque::with_capacity(SAMPLES),
            in_turns: false,
            report_ref: None,
        }
    }

    /// Records that the scope has begun `blocks` blocks, the last one at `mark`.
    pub(crate) fn begin_block(&mut self, blocks: usize, mark: Mark) {
        self.blocks = blocks;
        if self.marks.len() > MIXED {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// How many handles the scope holds at least, in blocks of `size`.
    pub(crate) fn held(&self, size: u64) -> u64 {
        size * (self.blocks as u64 - 1)
    }

    /// Keeps the stack that began the last block.
    pub(crate) fn add_sample(&mut self, filler: Place) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(filler);
    }

    /// Whether a loop fills the scope. See the [module](self).
    pub(crate) fn is_loop(&self) -> bool {
        if self.blocks < MIN_BLOCKS {
            return false;
        }
        let by_number = self.begun() >= MIN_BEGUN && (self.is_even() || self.is_mixed());
        by_number || self.is_lasting()
    }

    /// Whether the scope has been filled for long, and not in one burst or two.
    fn is_lasting(&self) -> bool {
        let longest = self.intervals().map(|(_, time)| time).max();
        self.lasted() >= LONG && longest.is_some_and(|longest| 2 * longest <= self.lasted())
    }

    fn is_even(&self) -> bool {
        let last: Vec<u64> = self
            .intervals()
            .map(|(begun, _)| begun)
            .take(EVEN)
            .collect();
        let (Some(min), Some(max)) = (last.iter().min(), last.iter().max()) else {
            return false;
        };
        last.len() == EVEN && *min >= MIN_BEGUN_EACH && max - min <= max / 10
    }

    fn is_mixed(&self) -> bool {
        let last = self.intervals().take(MIXED);
        self.blocks >= MANY_BLOCKS && last.filter(|&(begun, _)| begun > 0).count() == MIXED
    }

    /// How many scopes and calls began from one block to the next, and in what time; of the last blocks, the newest first.
    fn intervals(&self) -> impl Iterator<Item = (u64, Duration)> {
        let marks = self.marks.iter().rev();
        let pairs = marks.clone().zip(marks.skip(1));
        pairs.map(|(after, before)| {
            (
                after.begun - before.begun,
                after.at.saturating_sub(before.at),
            )
        })
    }

    /// How many scopes and calls began since the third block.
    pub(crate) fn begun(&self) -> u64 {
        self.marks
            .back()
            .map_or(0, |last| last.begun - self.first.begun)
    }

    /// How long the scope has been filled, since its third block.
    pub(crate) fn lasted(&self) -> Duration {
        let last = self.marks.back();
        last.map_or(Duration::ZERO, |last| last.at.saturating_sub(self.first.at))
    }

    /// The stack that began most of the last blocks, and how many.
    pub(crate) fn filler(&self) -> Option<(Place, usize)> {
        let count = |place: Place| self.samples.iter().filter(|&&other| other == place).count();
        let counted = self.samples.iter().map(|&place| (place, count(place)));
        // The newest of those with the most.
        counted.max_by_key(|&(_, times)| times)
    }

    /// How many stacks of the last blocks are kept.
    pub(crate) fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The outer frames that all stacks of the last blocks share: the loop, and what called it. `None` if they are one stack, or
    /// one of them is cut off at its outer end.
    pub(crate) fn shared_frames(&self) -> Option<&'static [usize]> {
        let stack = |place: &Place| match place.location {
            Location::Frames(CodeFrames { around, .. }) => {
                (around.len() < MAX_FRAMES).then_some(&**around)
            }
            _ => None,
        };
        let mut stacks = self.samples.iter().map(stack);
        let first: &'static [usize] = stacks.next()??;
        let mut shared = first.len();
        for stack in stacks {
            let pairs = first.iter().rev().zip(stack?.iter().rev());
            shared = shared.min(pairs.take_while(|(one, other)| one == other).count());
        }
        (0 < shared && shared < first.len()).then(|| &first[first.len() - shared..])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A scope that begins a block after each of these numbers of scopes and calls, and of milliseconds.
    fn filled(blocks: impl IntoIterator<Item = (u64, u64)>) -> Filling {
        let mut mark = Mark {
            begun: 0,
            at: Duration::ZERO,
        };
        let mut filling = Filling::new(
            EntryId(1),
            ScopeKind::HandleScope,
            Place::here("main"),
            mark,
        );
        filling.begin_block(3, mark);
        for (nth, (begun, millis)) in blocks.into_iter().enumerate() {
            mark.begun += begun;
            mark.at += Duration::from_millis(millis);
            filling.begin_block(nth + 4, mark);
        }
        filling
    }

    fn at_once(begun: impl IntoIterator<Item = u64>) -> bool {
        filled(begun.into_iter().map(|begun| (begun, 0))).is_loop()
    }

    #[test]
    fn even_traffic_in_one_scope_is_a_loop_once_it_is_no_batch() {
        assert!(at_once([341; 50]), "three handles a call");
        assert!(at_once([9000, 9100, 9050]));
        assert!(!at_once([341; 20]), "a batch of 6,820 calls");
    }

    #[test]
    fn uneven_traffic_is_a_loop_only_in_many_blocks() {
        let uneven = |blocks| (0..blocks).map(|nth| 300 + 900 * (nth % 2));
        assert!(at_once(uneven(40)));
        assert!(!at_once(uneven(28)), "31 blocks, 21,000 calls");
    }

    #[test]
    fn right_code_fills_a_scope_and_is_no_loop() {
        assert!(!at_once([0; 1000]), "an array of a million elements");
        assert!(
            !at_once([0, 7, 12, 0, 13, 17, 60]),
            "the start of a runtime"
        );
        let pauses = (0..40).map(|nth| if nth % 3 == 0 { 0 } else { 1000 });
        assert!(!at_once(pauses), "a large value in each third block");
        assert!(!at_once([40_000, 1]), "the third block is the last");
    }

    #[test]
    fn a_scope_that_is_filled_for_a_minute_is_a_loop_whatever_began() {
        let slow = |millis| filled([(0, millis); 2]).is_loop();
        assert!(slow(30_000));
        assert!(!slow(29_000));
        assert!(!filled([(0, 90_000)]).is_loop(), "one interval is no loop");
        assert!(
            !filled([(0, 10), (0, 10), (0, 90_000)]).is_loop(),
            "two bursts"
        );
    }

    fn stack(frames: &[usize]) -> Place {
        let frames = Box::leak(Box::new(CodeFrames {
            ip: frames[0],
            around: frames.into(),
        }));
        Place::on(frames)
    }

    #[test]
    fn who_fills_the_scope_is_the_stack_of_most_blocks() {
        let mut filling = filled([]);
        assert_eq!(filling.filler(), None);
        let (often, once) = (stack(&[1, 5, 7]), stack(&[2, 6, 7]));
        for place in [once, often, often, once, often] {
            filling.add_sample(place);
        }
        assert_eq!(filling.filler(), Some((often, 3)));
        assert_eq!(filling.samples(), 4, "the last ones");
    }

    #[test]
    fn the_loop_is_in_the_frames_that_all_stacks_share() {
        let shared = |stacks: &[&[usize]]| {
            let mut filling = filled([]);
            for frames in stacks {
                filling.add_sample(stack(frames));
            }
            filling.shared_frames()
        };
        assert_eq!(shared(&[&[1, 5, 7, 8], &[2, 6, 7, 8]]), Some(&[7, 8][..]));
        assert_eq!(shared(&[&[1, 5, 7, 8], &[7, 8]]), Some(&[7, 8][..]));
        assert_eq!(shared(&[&[1, 7], &[1, 7]]), None, "one stack");
        assert_eq!(shared(&[&[1, 7], &[1, 8]]), None, "two threads' worth");
        assert_eq!(shared(&[&[1; MAX_FRAMES], &[2, 1]]), None, "cut off");
    }
}
