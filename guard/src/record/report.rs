use crate::describe::handles::Handles;
use crate::describe::violation::Violation;
use crate::record::high_water::OpenerStats;
use crate::symbolize::platform::forget_symbols;
use crate::symbolize::trace::Line;
use std::fmt;
use std::time::Duration;

/// Sites shown by [`Report`]'s `Display`; the rest is counted.
const SHOWN: usize = 10;

/// All sites and counters at one moment, or over one interval. Most frequent site first.
///
/// [`Display`](fmt::Display) names the stacks and prints a table like that of a DTrace aggregation: each stack once,
/// with its count below. Reads the binary's symbols for it, and gives their memory back.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub(crate) elapsed: Duration,
    pub(crate) sites: Vec<Site>,
    pub(crate) dropped: u64,
    pub(crate) scopes: Vec<OpenerStats>,
    pub(crate) cost: Cost,
}

/// What the checker took for itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    pub(crate) spent: Duration,
    pub(crate) kept: usize,
    pub(crate) room: usize,
}

impl Cost {
    /// Time spent on violations, reactions apart: from the capture of the stack to the count of its site. Each new site is
    /// measured, and one in 64 of the others.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// Sites in the table.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Sites that the table has room for; [`Config::sites`](crate::Config::sites).
    pub fn room(&self) -> usize {
        self.room
    }
}

/// One distinct cause: rule + callback + opener + stack.
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
    /// Its first occurrence.
    pub fn violation(&self) -> &Violation {
        &self.violation
    }

    /// Occurrences.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Handles left in the outer scope by all of them.
    pub fn handles(&self) -> u64 {
        self.handles
    }

    /// When it was first seen, from the checker's start.
    pub fn first(&self) -> Duration {
        self.first
    }

    /// When it was last seen, from the checker's start.
    pub fn last(&self) -> Duration {
        self.last
    }
}

impl Report {
    /// How long was looked at.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The sites, most frequent first.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Violations that found no place in the site table, and were only counted.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The places that opened scopes, the one whose scope held most handles at once first: high-water marks, for a choice of
    /// `scope-budget`. Kept for scopes that held 64 or more, and for all where `redundant-scope` is on.
    pub fn scopes(&self) -> &[OpenerStats] {
        &self.scopes
    }

    /// What the checker took for itself.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// All violations, dropped ones too.
    pub fn violations(&self) -> u64 {
        self.sites.iter().map(|site| site.count).sum::<u64>() + self.dropped
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    /// What came since `earlier`, a report of the same process.
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
        if sites > 0 {
            forget_symbols();
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
        self.high_water(f)?;
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
    fn high_water(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = self.scopes.iter().filter(|scope| scope.most > 0).peekable();
        if marks.peek().is_none() {
            return Ok(());
        }
        writeln!(f, "\n  most handles held at once by one scope of")?;
        for scope in marks.take(SHOWN) {
            writeln!(f, "  {:>9}  {} {}", scope.most, scope.kind, scope.place)?;
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
            Line::Truncated(cut) => writeln!(f, "              ({cut})"),
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

/// Seconds with one decimal: `9.9 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}
