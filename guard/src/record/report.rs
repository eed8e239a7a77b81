//! What was recorded, as data and as text.

use crate::describe::handles::Handles;
use crate::describe::violation::Violation;
use crate::record::high_water::OpenerStats;
use crate::symbolize::trace::Line;
use std::fmt;
use std::time::Duration;

/// How many sites the `Display` of [`Report`] shows; it counts the rest.
const SHOWN: usize = 10;

/// All sites and counters at one moment, or over one interval.
///
/// [`Display`](fmt::Display) prints a table like that of a DTrace aggregation: each stack once, with its count below. To name
/// the stacks, it reads the files of the program and its shared objects.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub(crate) elapsed: Duration,
    pub(crate) sites: Vec<Site>,
    pub(crate) dropped: u64,
    pub(crate) scopes: Vec<OpenerStats>,
    pub(crate) cost: Cost,
}

/// What the checker itself costs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    pub(crate) spent: Duration,
    pub(crate) kept: usize,
    pub(crate) room: usize,
}

impl Cost {
    /// Time spent on violations, from the capture of the stack to the count of its site; what the action takes is not included.
    /// Each violation at a new site is measured, and one in 64 of the others stands for all of them.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// How many sites are in the table.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// How many sites the table has room for, as set by [`Config::sites`](crate::Config::sites).
    pub fn room(&self) -> usize {
        self.room
    }
}

/// One distinct cause of violations: a rule, a callback, an opener and a stack.
#[derive(Clone, Debug)]
pub struct Site {
    pub(crate) slot: usize,
    pub(crate) violation: Violation,
    pub(crate) count: u64,
    pub(crate) handles: u64,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl Site {
    /// The first occurrence.
    pub fn violation(&self) -> &Violation {
        &self.violation
    }

    /// How often it occurred.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many handles all occurrences left in an outer scope.
    pub fn handles(&self) -> u64 {
        self.handles
    }

    /// Time of the first occurrence, from the checker's start.
    pub fn first(&self) -> Duration {
        self.first
    }

    /// Time of the last occurrence, from the checker's start.
    pub fn last(&self) -> Duration {
        self.last
    }
}

impl Report {
    /// How much time the report covers.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The sites, most frequent first.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// How many violations were only counted, because the site table was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The places that opened scopes, with the most handles that a scope of theirs held at once: high-water marks, by which to
    /// choose a `scope-budget`. The highest comes first. Only scopes that held 64 handles or more are included, or all scopes if
    /// `redundant-scope` is on.
    pub fn scopes(&self) -> &[OpenerStats] {
        &self.scopes
    }

    /// What the checker itself costs.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// How many violations there were, including dropped ones.
    pub fn violations(&self) -> u64 {
        self.sites.iter().map(|site| site.count).sum::<u64>() + self.dropped
    }

    /// Whether there was no violation.
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    /// Returns what is new in this report since `earlier`, a report of the same process.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut sites: Vec<Site> = self
            .sites
            .iter()
            .filter_map(|site| {
                let mut site = site.clone();
                if let Some(before) = earlier.sites.iter().find(|before| before.slot == site.slot) {
                    site.count -= before.count.min(site.count);
                    site.handles -= before.handles.min(site.handles);
                }
                (site.count > 0 || site.handles > 0).then_some(site)
            })
            .collect();
        sort(&mut sites);
        Self {
            elapsed: self.elapsed.saturating_sub(earlier.elapsed),
            sites,
            dropped: self.dropped.saturating_sub(earlier.dropped),
            scopes: self.scopes.clone(),
            cost: Cost {
                spent: self.cost.spent.saturating_sub(earlier.cost.spent),
                ..self.cost
            },
        }
    }
}

/// Sorts by count, the most frequent site first.
pub(crate) fn sort(sites: &mut [Site]) {
    sites.sort_by_key(|site| (std::cmp::Reverse(site.count), site.slot));
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sites = self.sites.len();
        let violations = self.violations();
        let handles: u64 = self.sites.iter().map(|site| site.handles).sum();
        writeln!(
            f,
            "handleguard: {violations} violation{}, {sites} site{}, {} left, in {}",
            if violations == 1 { "" } else { "s" },
            if sites == 1 { "" } else { "s" },
            Handles(handles),
            Seconds(self.elapsed),
        )?;
        for site in self.sites.iter().take(SHOWN) {
            site.fmt(f)?;
        }
        if sites > SHOWN {
            writeln!(f, "\n  and {} more sites", sites - SHOWN)?;
        }
        if self.dropped > 0 {
            writeln!(
                f,
                "\n  and {} violations dropped: the site table is full",
                self.dropped
            )?;
        }
        self.fmt_high_water(f)?;
        if violations > 0 {
            writeln!(
                f,
                "\n  handleguard itself: {:.1} ms spent on violations; {} of {} sites in use",
                self.cost.spent.as_secs_f64() * 1e3,
                self.cost.kept,
                self.cost.room,
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn fmt_high_water(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = self
            .scopes
            .iter()
            .filter(|opener| opener.most > 0)
            .peekable();
        if marks.peek().is_none() {
            return Ok(());
        }
        writeln!(f, "\n  most handles held at once by one scope of")?;
        for opener in marks.take(SHOWN) {
            writeln!(f, "  {:>9}  {} {}", opener.most, opener.kind, opener.place)?;
        }
        Ok(())
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {}", self.violation.sentence())?;
        if let Some(callee) = self.violation.callee() {
            writeln!(f, "  calls {callee}")?;
        }
        self.violation.trace.lines(|line| match line {
            Line::Frame(_, frame) => match frame.source() {
                Some(source) => writeln!(f, "              {} ({source})", frame.shown()),
                None => writeln!(f, "              {}", frame.shown()),
            },
            Line::Folded(frames, engine) => {
                writeln!(f, "              ({frames} frames of {engine})")
            }
            Line::Truncated(why) => writeln!(f, "              ({why})"),
        })?;
        writeln!(
            f,
            "  {:>9} time{}, {} left; first {}, last {} after the start",
            self.count,
            if self.count == 1 { "" } else { "s" },
            Handles(self.handles),
            Seconds(self.first),
            Seconds(self.last)
        )
    }
}

/// Shows seconds with one decimal: `9.9 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}
