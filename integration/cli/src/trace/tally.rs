//! What has been counted for one report, by thread and isolate.

use crate::trace::frames::frames;
use crate::trace::output::{Clock, Entry, Map};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The counts of one report.
#[derive(Default)]
pub struct Tally {
    counts: BTreeMap<(u64, u64), Counts>,
}

/// Those of one isolate on one thread.
#[derive(Default)]
struct Counts {
    turns: u64,
    callbacks: u64,
    handles: u64,
    bare: u64,
    left: u64,
    /// By map and frames: a stack may occur several times, with other addresses and the same functions.
    blames: BTreeMap<(Blame, Vec<String>), u64>,
}

/// What a stack is blamed for, in the order of the report.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Blame {
    Bare,
    Left,
    Inside,
}

impl Blame {
    fn text(self) -> &'static str {
        match self {
            Self::Bare => "with no scope since the turn began",
            Self::Left => "a scope opened here and never closed, so far",
            Self::Inside => "a scope never closed, opened inside or after this one, so far",
        }
    }
}

impl Tally {
    /// Adds an entry of a map.
    pub fn add(&mut self, map: Map, entry: &Entry) {
        let counts = self
            .counts
            .entry((entry.thread, entry.isolate))
            .or_default();
        let blame = match map {
            Map::Turns => return add(&mut counts.turns, entry.count),
            Map::Callbacks => return add(&mut counts.callbacks, entry.count),
            Map::Handles => return add(&mut counts.handles, entry.count),
            Map::Bare => {
                add(&mut counts.bare, entry.count);
                Blame::Bare
            }
            Map::Left => {
                add(&mut counts.left, entry.count);
                Blame::Left
            }
            Map::Inside => {
                add(&mut counts.left, entry.count);
                Blame::Inside
            }
        };
        let blames = counts
            .blames
            .entry((blame, frames(&entry.stack)))
            .or_default();
        add(blames, entry.count);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Prints the report: a line for each thread and isolate, and each stack that is blamed, the most frequent first.
    ///
    /// # Errors
    ///
    /// Returns that of writing.
    pub fn print(&self, clock: &Clock, out: &mut impl Write) -> io::Result<()> {
        if self.is_empty() {
            return writeln!(out, "{clock} no turn seen: nothing to judge");
        }
        for ((thread, isolate), counts) in &self.counts {
            writeln!(
                out,
                "{clock} thread {thread}, isolate {isolate:#x}: {}",
                counts.line()
            )?;
            counts.print_blames(out)?;
        }
        Ok(())
    }
}

impl Counts {
    fn line(&self) -> String {
        let mut line = format!(
            "{}, {}",
            plural(self.turns, "turn"),
            plural(self.callbacks, "callback")
        );
        if self.bare > 0 {
            line.push_str(&format!(", {} of them with no scope", self.bare));
        }
        if self.left > 0 {
            line.push_str(&format!(", {} left open", plural(self.left, "scope")));
        }
        if self.handles > 0 {
            line.push_str(&format!(
                ", {} left over turns",
                plural(self.handles, "handle")
            ));
        }
        if self.bare == 0 && self.left == 0 && self.handles == 0 {
            line.push_str(if self.turns == 0 {
                ", no turn seen: nothing to judge"
            } else {
                ", nothing to blame"
            });
        }
        line
    }

    fn print_blames(&self, out: &mut impl Write) -> io::Result<()> {
        let mut blames: Vec<_> = self.blames.iter().map(by_frequency).collect();
        blames.sort();
        for (blame, rarity, frames) in blames {
            writeln!(out, "    {}: {}", blame.text(), plural(rarity.0, "time"))?;
            for frame in frames {
                writeln!(out, "        {frame}")?;
            }
            if frames.is_empty() {
                writeln!(
                    out,
                    "        (no stack: bpftrace lost it, or its code has no symbol)"
                )?;
            }
        }
        Ok(())
    }
}

type Ordered<'counts> = (Blame, std::cmp::Reverse<u64>, &'counts [String]);

/// A blame as a value that sorts by kind, then the most frequent first.
fn by_frequency<'counts>(
    ((blame, frames), count): (&'counts (Blame, Vec<String>), &'counts u64),
) -> Ordered<'counts> {
    (*blame, std::cmp::Reverse(*count), frames)
}

/// Counts come from the memory of the target by way of bpftrace, so a sum may be of any size.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
