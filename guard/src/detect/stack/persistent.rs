//! The number of persistent handles of one isolate, sampled over its life.
//!
//! The samples of the whole life are never more than [`MAX_SAMPLES`]: when they are, every other one is dropped, and the rest is twice
//! as far apart.

use super::persistent_makers::PersistentMakers;
use crate::describe::rules::global_growth::{GlobalGrowth, Steps};
use std::time::Duration;

/// How many samples of a life are kept, at most.
const MAX_SAMPLES: usize = 16;

/// How many intervals must have grown before a life is judged.
const MIN_INTERVALS: usize = 8;

/// How many intervals must have grown before it is counted who makes the handles.
const SUSPICIOUS: usize = 4;

/// How far apart the first samples are, in steps.
const FIRST_SPACING: u64 = 16;

/// How often the time is looked at, in steps.
const LOOK: u64 = 64;

/// The least growth of a life that is a finding.
const MIN_GROWN: u64 = 100;

/// The ticks in a row that must have grown, and the least growth over them.
const TICKS: u64 = 3;
const MIN_GROWN_AT_TICKS: u64 = 10_000;

/// The full collections between which growth is no garbage.
const COLLECTIONS: u64 = 2;

/// What distinguishes handles that the host has left from weak ones whose objects are garbage, and from the engine's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// The hooks see which handles the host makes and resets.
    pub(super) hooked: bool,
    /// Full collections so far.
    pub(super) collections: u64,
}

/// The count of persistent handles at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Turns, or scopes and calls, begun by then.
    step: u64,
    handles: u64,
    /// Full collections by then.
    collections: u64,
}

/// Ticks in a row, each with more handles than the one before.
#[derive(Clone, Copy, Debug)]
struct Rise {
    from: Sample,
    last: Sample,
    /// When the last one was.
    at: Duration,
    ticks: u64,
    /// The least growth between two of them.
    least: u64,
}

/// The persistent handles of one isolate, as far as they have been looked at.
#[derive(Debug)]
pub(super) struct PersistentHandles {
    /// What the steps are.
    counted_in: Steps,
    samples: Vec<Sample>,
    spacing: u64,
    /// The step at which to look again.
    due: u64,
    rise: Option<Rise>,
    pub(super) makers: PersistentMakers,
    /// The growth has been reported, so that no end reports it again.
    reported: bool,
}

impl Default for PersistentHandles {
    fn default() -> Self {
        Self {
            counted_in: Steps::ScopesAndCalls,
            samples: Vec::new(),
            spacing: FIRST_SPACING,
            due: FIRST_SPACING,
            rise: None,
            makers: PersistentMakers::default(),
            reported: false,
        }
    }
}

impl PersistentHandles {
    /// Whether it is time to [look](Self::look), at the step `step`.
    #[inline]
    pub(super) fn is_due(&self, step: u64) -> bool {
        step >= self.due || self.makers.is_just_over()
    }

    /// Looks at the number of handles, which `count` returns, at the step `step` and the time `now`; ticks are `tick` apart. Returns
    /// the growth if they have grown at each of the last ticks.
    pub(super) fn look(
        &mut self,
        (counted_in, step): (Steps, u64),
        (now, tick): (Duration, Duration),
        evidence: Evidence,
        count: impl FnOnce() -> Option<u64>,
    ) -> Option<GlobalGrowth> {
        if self.counted_in != counted_in {
            *self = Self {
                counted_in,
                ..Self::default()
            };
        }
        let next = self.next_sample();
        let is_count_over = self.makers.is_just_over();
        let is_tick = self.rise.is_none_or(|rise| now >= rise.at + tick);
        self.due = (step + LOOK).min(next.max(step + 1));
        if step < next && !is_tick && !is_count_over {
            return None;
        }
        let Some(handles) = count() else {
            self.due = u64::MAX;
            return None;
        };
        let sample = Sample {
            step,
            handles,
            collections: evidence.collections,
        };
        if step >= next {
            self.add(sample);
            self.due = (step + LOOK).min(self.next_sample());
        }
        let growth = if is_tick {
            self.tick(sample, now, evidence)
        } else {
            None
        };
        let suspicious =
            is_steady(&self.samples, SUSPICIOUS) || self.rise.is_some_and(|rise| rise.ticks > 0);
        self.makers.count(suspicious, handles);
        growth
    }

    /// Judges the life until the step `step`, once. `count` returns the number of handles now.
    pub(super) fn judge_life(
        &mut self,
        (counted_in, step): (Steps, u64),
        evidence: Evidence,
        count: impl FnOnce() -> Option<u64>,
    ) -> Option<GlobalGrowth> {
        if self.reported
            || self.counted_in != counted_in
            || !is_steady(&self.samples, MIN_INTERVALS)
        {
            return None;
        }
        let (first, last) = (*self.samples.first()?, *self.samples.last()?);
        let now = Sample {
            step,
            handles: count()?,
            collections: evidence.collections,
        };
        let grown = now.handles.checked_sub(first.handles)?;
        // Nobody looked lately, for no handle was made.
        let intervals = self.samples.len() as u64 - 1;
        let is_flat = step - last.step > 2 * (last.step - first.step) / intervals;
        // The host has reset them in the end.
        let were_reset = grown < (last.handles - first.handles) / 4 * 3;
        if is_flat || were_reset || grown < MIN_GROWN || !self.is_hosts(first, last, evidence) {
            return None;
        }
        self.reported = true;
        Some(self.growth(first, now))
    }

    /// The step at which the next sample of the life is due.
    fn next_sample(&self) -> u64 {
        self.samples.last().map_or(0, |last| last.step) + self.spacing
    }

    /// Adds a sample of the life.
    fn add(&mut self, sample: Sample) {
        if self.samples.len() == MAX_SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.spacing *= 2;
        }
        // At once, with the first sample: a program that runs for long allocates no more.
        self.samples.reserve_exact(MAX_SAMPLES - self.samples.len());
        self.samples.push(sample);
    }

    /// Returns the growth if this tick is one of several in a row that have grown.
    fn tick(&mut self, sample: Sample, now: Duration, evidence: Evidence) -> Option<GlobalGrowth> {
        let anew = Rise {
            from: sample,
            last: sample,
            at: now,
            ticks: 0,
            least: u64::MAX,
        };
        let rise = self.rise.insert(match self.rise {
            Some(rise) if sample.handles > rise.last.handles => Rise {
                from: rise.from,
                last: sample,
                at: now,
                ticks: rise.ticks + 1,
                least: rise.least.min(sample.handles - rise.last.handles),
            },
            _ => anew,
        });
        let from = rise.from;
        let grown = sample.handles - from.handles;
        let is_steady = rise.ticks >= TICKS && rise.least >= grown / rise.ticks / 2;
        if !is_steady || grown < MIN_GROWN_AT_TICKS || !self.is_hosts(from, sample, evidence) {
            return None;
        }
        self.rise = Some(anew);
        self.reported = true;
        Some(self.growth(from, sample))
    }

    /// Whether it is the host that has left the handles by which the count has grown.
    fn is_hosts(&self, from: Sample, to: Sample, evidence: Evidence) -> bool {
        if evidence.hooked {
            self.makers.explain_growth(to.handles)
        } else {
            to.collections - from.collections >= COLLECTIONS
        }
    }

    fn growth(&self, from: Sample, to: Sample) -> GlobalGrowth {
        GlobalGrowth {
            grown: to.handles - from.handles,
            alive: to.handles,
            steps: to.step - from.step,
            counted_in: self.counted_in,
            counted: self.makers.counted(),
            maker: self.makers.most(),
        }
    }
}

/// Whether there are `intervals` or more between the samples, and each grew by half to twice as much a step as all together.
fn is_steady(samples: &[Sample], intervals: usize) -> bool {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return false;
    };
    let rate = |from: &Sample, to: &Sample| {
        let grown = to.handles.checked_sub(from.handles)?;
        Some((u128::from(grown), u128::from(to.step - from.step)))
    };
    let Some((grown @ 1.., steps)) = rate(first, last) else {
        return false;
    };
    let is_alike = |pair: &[Sample]| {
        rate(&pair[0], &pair[1]).is_some_and(|(more, during)| {
            // `more / during` against `grown / steps`.
            let (its, mean) = (more * steps, grown * during);
            2 * its >= mean && its <= 2 * mean
        })
    };
    samples.len() > intervals && samples.windows(2).all(is_alike)
}
