use crate::event_loop::EventLoop;
use crate::memory;
use crate::output::{Output, Part};
use crate::verdict::Outcome;
use handleguard_v8::handleguard;
use std::fmt;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};
use v8::PinScope;

const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// After this long without a closed connection, the program gives up: something outside it prevents its work.
const STALLED: Duration = Duration::from_secs(10);

/// How long a phase waits at its end for open connections, because one made by another program may never close.
const DRAIN: Duration = Duration::from_secs(1);

/// The phases: with the bug, and without it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Bug,
    Fixed,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Fixed => "fixed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The length of a phase, which ends when both are reached.
#[derive(Clone, Copy)]
pub struct Length {
    pub time: Duration,
    pub connections: u64,
}

/// One row of the growth series, like the loop of `pmap` that was run in 2013.
pub struct Sample {
    pub elapsed: Duration,
    pub closed: u64,
    /// How many handles are alive in all scopes of the isolate.
    pub handles: u64,
    pub resident_kib: Option<u64>,
}

/// Runs traffic through the loop until `length` is reached, and prints its progress.
pub fn run_phase(
    scope: &mut PinScope<'_, '_>,
    event_loop: &mut EventLoop<'_>,
    phase: Phase,
    length: Length,
    output: &mut Output,
) -> Result<Outcome, String> {
    let started = Instant::now();
    let sample = |scope: &PinScope<'_, '_>, event_loop: &EventLoop<'_>| Sample {
        elapsed: started.elapsed(),
        closed: event_loop.tally().closed,
        handles: handles(scope),
        resident_kib: memory::resident_kib(),
    };
    // Never dropped, so that a build without the checks does not even contain the code to drop it.
    let before = ManuallyDrop::new(handleguard::report());
    let first = sample(scope, event_loop);
    output.phase(phase)?;
    output.sample(phase, &first)?;

    let mut sampled = started;
    let mut reported = false;
    let mut last_close = (0, started);
    let mut over: Option<Instant> = None;
    // A single call of `turn` in the source: two would have two stacks, and so two sites.
    loop {
        event_loop
            .turn(scope, phase, over.is_none())
            .map_err(|error| format!("the event loop cannot go on: {error}"))?;
        let now = Instant::now();
        let closed = event_loop.tally().closed;
        match over {
            None if now - started >= length.time && closed >= length.connections => {
                over = Some(now);
            }
            None => {}
            Some(_) if event_loop.is_idle() => break,
            Some(since) if now - since >= DRAIN => event_loop.hang_up(),
            Some(_) => {}
        }
        if closed > last_close.0 {
            last_close = (closed, now);
        } else if now - last_close.1 >= STALLED {
            return Err(format!(
                "no connection was closed for {} s: {}",
                STALLED.as_secs(),
                event_loop
                    .tally()
                    .first_error
                    .as_deref()
                    .unwrap_or("nothing arrives over loopback")
            ));
        }
        if over.is_none() && now - sampled >= SAMPLE_EVERY {
            sampled += SAMPLE_EVERY;
            output.sample(phase, &sample(scope, event_loop))?;
        }
        if handleguard::COMPILED_IN && !reported && now - started >= length.time / 2 {
            reported = true;
            output.report(phase, Part::SoFar, &handleguard::report().since(&before))?;
        }
        output.progress(phase, now - started, length, closed);
    }

    let last = sample(scope, event_loop);
    output.sample(phase, &last)?;
    let mut outcome = Outcome {
        phase,
        handles: last.handles.cast_signed() - first.handles.cast_signed(),
        tally: event_loop.take_tally(),
        violations: 0,
        sites: 0,
    };
    if handleguard::COMPILED_IN {
        let report = handleguard::report().since(&before);
        output.report(phase, Part::All, &report)?;
        outcome.violations = report.violations();
        outcome.sites = report.sites().len();
    }
    Ok(outcome)
}

fn handles(scope: &PinScope<'_, '_>) -> u64 {
    handleguard_v8::handles(scope).expect("V8 counts its handles in an int that is not negative")
}
