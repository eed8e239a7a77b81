use crate::phase::{Length, Phase, Sample};
use crate::verdict::{Outcome, Verdict};
use handleguard_v8::handleguard::Report;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracing::{info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// The `tracing` target of this program's own events.
const TARGET: &str = "walmart_leak";

const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The part of a phase that a report is about.
#[derive(Clone, Copy)]
pub enum Part {
    SoFar,
    All,
}

/// The output: text on stdout, with a progress line on the stderr of a terminal, or JSON lines on stdout.
pub struct Output {
    json: bool,
    /// When the progress line was last drawn; `None` if it is not on the screen.
    drawn: Option<Instant>,
    progress: bool,
}

impl Output {
    /// Also installs the subscriber for handleguard's log: on stderr beside text, on stdout among JSON lines.
    pub fn new(json: bool) -> Self {
        let registry = tracing_subscriber::registry();
        if json {
            let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
            registry.with(lines.with_writer(io::stdout)).init();
        } else {
            let lines = tracing_subscriber::fmt::layer().compact();
            let only = Targets::new().with_target("handleguard", LevelFilter::TRACE);
            registry
                .with(lines.with_writer(io::stderr).with_filter(only))
                .init();
        }
        Self {
            json,
            drawn: None,
            progress: !json && io::stderr().is_terminal(),
        }
    }

    pub fn start(&mut self, address: SocketAddr) -> Result<(), String> {
        if self.json {
            info!(target: TARGET, %address, "start");
            return Ok(());
        }
        self.print(format_args!(
            "walmart_leak: an HTTP server and its client in one event loop, on {address}\n"
        ))
    }

    pub fn compiled_out(&mut self) -> Result<(), String> {
        let text = "the checks of handleguard are compiled out of this build: a leak shows, and nobody names it";
        if self.json {
            warn!(target: TARGET, "{text}");
            return Ok(());
        }
        self.print(format_args!("{text}\n"))
    }

    pub fn phase(&mut self, phase: Phase) -> Result<(), String> {
        let what = match phase {
            Phase::Bug => "on_close opens no HandleScope",
            Phase::Fixed => "on_close opens a HandleScope",
        };
        if self.json {
            info!(target: TARGET, phase = phase.name(), what, "phase");
            return Ok(());
        }
        self.print(format_args!("\n{phase}: {what}\n"))
    }

    pub fn sample(&mut self, phase: Phase, sample: &Sample) -> Result<(), String> {
        let Sample {
            elapsed,
            closed,
            handles,
            resident_kib,
        } = sample;
        let seconds = elapsed.as_millis() as f64 / 1000.0;
        if self.json {
            info!(
                target: TARGET,
                phase = phase.name(),
                seconds, closed, handles, resident_kib, "sample"
            );
            return Ok(());
        }
        let resident = match resident_kib {
            Some(kib) => format!("{kib:>8} KiB resident"),
            None => String::new(),
        };
        self.print(format_args!(
            "{seconds:>7.1} s {closed:>8} connections closed {handles:>8} handles {resident}\n"
        ))
    }

    pub fn report(&mut self, phase: Phase, part: Part, report: &Report) -> Result<(), String> {
        if !self.json {
            return match part {
                Part::SoFar => self.print(format_args!("\n{phase}, so far:\n{report}\n")),
                Part::All => self.print(format_args!("\n{phase}, in all:\n{report}")),
            };
        }
        let part = match part {
            Part::SoFar => "so far",
            Part::All => "in all",
        };
        info!(
            target: TARGET,
            phase = phase.name(),
            part,
            violations = report.violations(),
            sites = report.sites().len(),
            "report"
        );
        for site in report.sites() {
            let violation = site.violation();
            let finding = violation.finding();
            info!(
                target: TARGET,
                phase = phase.name(),
                part,
                rule = violation.rule().name(),
                callback = finding.callback().map(|place| place.to_string()),
                callee = violation.callee(),
                opener = finding.opener().map(|opener| opener.place.to_string()),
                count = site.count(),
                handles = site.handles(),
                stack = violation.trace().folded(),
                "site"
            );
        }
        Ok(())
    }

    pub fn verdict(&mut self, outcomes: &[Outcome]) -> Result<(), String> {
        if !self.json {
            return self.print(format_args!("\n{}", Verdict(outcomes)));
        }
        for outcome in outcomes {
            info!(
                target: TARGET,
                phase = outcome.phase.name(),
                closed = outcome.tally.closed,
                handles = outcome.handles,
                handles_a_closed_connection = outcome.handles_each(),
                violations = outcome.violations,
                sites = outcome.sites,
                errors = outcome.tally.errors,
                first_error = outcome.tally.first_error,
                "verdict"
            );
        }
        Ok(())
    }

    pub fn progress(&mut self, phase: Phase, elapsed: Duration, length: Length, closed: u64) {
        if !self.progress || self.drawn.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let seconds = elapsed.as_secs_f64();
        let of = length.time.as_secs();
        // The program goes on if a progress line cannot be written.
        let _ = write!(
            io::stderr(),
            "\r{phase}: {seconds:.1} of {of} s, {closed} connections closed\x1b[K"
        );
    }

    fn print(&mut self, text: impl Display) -> Result<(), String> {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        write!(io::stdout(), "{text}").map_err(|error| format!("cannot write to stdout: {error}"))
    }
}
