//! What was recorded, as data and as text.

use crate::describe::handles::Handles;
use crate::describe::violation::Violation;
use crate::record::high_water::OpenerStats;
use crate::record::profile::FilledScope;
use crate::symbolize::trace::Line;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
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
    pub(crate) profile: Vec<FilledScope>,
    pub(crate) unprofiled: u64,
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
    pub(crate) merged: bool,
    pub(crate) violation: Arc<Violation>,
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

    /// Whether it stands for several causes, for which the site table had no room: those of one callback and opener, or of one
    /// rule if there are too many of these too. The violation, with its stack, is the first one of them.
    pub fn is_merged(&self) -> bool {
        self.merged
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

    /// Returns the site with what was added to it since it had `count` occurrences and `handles`; `None` if nothing was.
    pub(crate) fn since(&self, (count, handles): (u64, u64)) -> Option<Self> {
        let since = Self {
            count: self.count.saturating_sub(count),
            handles: self.handles.saturating_sub(handles),
            ..self.clone()
        };
        (since.count > 0 || since.handles > 0).then_some(since)
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

    /// How many violations have no site of their own, because the site table was full. They are counted at sites that
    /// [are merged](Site::is_merged).
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The places that opened scopes, with the most handles that a scope of theirs held at once: high-water marks, by which to
    /// choose a `scope-budget`. The highest comes first. Only scopes that held 64 handles or more are included, or all scopes if
    /// `redundant-scope` is on.
    pub fn scopes(&self) -> &[OpenerStats] {
        &self.scopes
    }

    /// The handle profile: the scopes that took more than one of the engine's blocks of handles (V8: 1,022), with the stacks that
    /// filled them, each block being one sample. Needs the hooks. Always of the whole time since the checker's start.
    pub fn profile(&self) -> &[FilledScope] {
        &self.profile
    }

    /// The handle profile in the format of flame graphs: a line for each stack, outermost frame first, with the opener of the
    /// scope before it and the handles after it: `HandleScope main;main;event_loop;on_close 3066`.
    pub fn folded_profile(&self) -> String {
        let mut folded = String::new();
        for scope in &self.profile {
            let place = scope.place();
            let opener = match place.name {
                Some(name) => name.to_owned(),
                None => place.to_string(),
            };
            for stack in scope.stacks() {
                let _ = writeln!(
                    folded,
                    "{} {};{} {}",
                    scope.kind(),
                    opener.replace(';', ":"),
                    stack.trace().folded(),
                    stack.handles()
                );
            }
        }
        folded
    }

    /// What the checker itself costs.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// How many violations there were.
    pub fn violations(&self) -> u64 {
        self.sites.iter().map(|site| site.count).sum()
    }

    /// Whether there was no violation.
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
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
            let full = TableFull {
                dropped: self.dropped,
                room: self.cost.room,
            };
            writeln!(f, "\n  {full}")?;
        }
        self.fmt_high_water(f)?;
        self.fmt_profile(f)?;
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

impl Report {
    fn fmt_profile(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.profile.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n  handles that filled a scope, by a sample of one in each block"
        )?;
        for scope in self.profile.iter().take(SHOWN) {
            write!(f, "{scope}")?;
        }
        let rest = self.profile.get(SHOWN..).unwrap_or_default();
        if !rest.is_empty() {
            let handles: u64 = rest.iter().map(FilledScope::handles).sum();
            writeln!(f, "  {handles:>9}  {} more scopes", rest.len())?;
        }
        if self.unprofiled > 0 {
            writeln!(
                f,
                "  {:>9}  by stacks that the profile had no room for",
                self.unprofiled
            )?;
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

/// Says that the site table is full.
pub(crate) struct TableFull {
    pub(crate) dropped: u64,
    pub(crate) room: usize,
}

impl fmt::Display for TableFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dropped, room } = self;
        let violations = if *dropped == 1 {
            "violation"
        } else {
            "violations"
        };
        write!(
            f,
            "the site table is full ({room} sites): {dropped} {violations} of further causes counted by callback and opener only; \
             raise it by `sites=N`"
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
