//! The handle profile: who fills which scope, by a sample at each of the engine's blocks of handles.

use crate::describe::scope::ScopeKind;
use crate::engine::wording::FrameClassifier;
use crate::place::Place;
use crate::place::intern;
use crate::record::slot_table::{self, Claim, SlotTable};
use crate::symbolize::names;
use crate::symbolize::trace::Trace;
use crate::sync::{AtomicU64, Ordering};
use crate::unwind::capture::CapturedStack;
use foldhash::fast::FixedState;
use std::cmp::Reverse;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// How many stacks are kept, of all scopes: a limit for the memory. Blocks begun by further stacks are counted for their scope, and
/// not by whom.
// In a model, each slot is some atomics to explore.
const MAX_STACKS: usize = if cfg!(all(test, loom)) { 1 } else { 256 };

/// How many of those who filled a scope a report shows.
const SHOWN: usize = 3;

/// The profile. See the [module](self).
pub(crate) struct Profile {
    stacks: SlotTable<Detail, Counts>,
    /// Handles sampled of stacks that had no room.
    dropped: AtomicU64,
}

struct Detail {
    kind: ScopeKind,
    opener: Place,
    /// The stack as a place: the innermost function of the user's on it.
    filler: Place,
    trace: Arc<Trace>,
}

struct Counts {
    /// Handles sampled.
    handles: AtomicU64,
    /// The most handles that the scope was seen to hold.
    most: AtomicU64,
}

/// A sample: a scope that has filled one more block.
pub(crate) struct Sample {
    pub(crate) kind: ScopeKind,
    pub(crate) opener: Place,
    /// How many handles a block holds.
    pub(crate) size: u64,
    /// How many handles the scope holds, at least.
    pub(crate) held: u64,
}

/// The scopes of one opener, with the stacks that filled them.
#[derive(Clone, Debug)]
pub struct FilledScope {
    kind: ScopeKind,
    place: Place,
    most: u64,
    stacks: Vec<FilledBy>,
}

/// One stack that filled a scope.
#[derive(Clone, Debug)]
pub struct FilledBy {
    place: Place,
    trace: Arc<Trace>,
    handles: u64,
}

impl FilledScope {
    /// The kind of the scopes.
    pub fn kind(&self) -> ScopeKind {
        self.kind
    }

    /// Who opened them.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The most handles that one of them was seen to hold, to one of the engine's blocks (V8: 1,022 handles).
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Who filled them, the one with the most handles first.
    pub fn stacks(&self) -> &[FilledBy] {
        &self.stacks
    }

    /// How many handles they took in all, to one of the engine's blocks for each scope.
    pub fn handles(&self) -> u64 {
        self.stacks.iter().map(FilledBy::handles).sum()
    }
}

impl FilledBy {
    /// The innermost function of the user's on the stack.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The stack that made the handle for which the engine began a block.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How many handles it stands for: those of a block for each sample.
    pub fn handles(&self) -> u64 {
        self.handles
    }
}

impl Profile {
    pub(crate) fn new() -> Self {
        let counts = || Counts {
            handles: AtomicU64::new(0),
            most: AtomicU64::new(0),
        };
        Self {
            stacks: SlotTable::with_capacity(MAX_STACKS, counts),
            dropped: AtomicU64::new(0),
        }
    }

    /// Adds a sample, with the stack that began the block. Returns the place of that stack, unless the table had no room for it.
    pub(crate) fn add(
        &self,
        sample: &Sample,
        stack: &CapturedStack,
        classifier: &'static FrameClassifier,
    ) -> Option<Place> {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        (sample.kind, sample.opener.identity()).hash(&mut hasher);
        stack.hash_loaded(&mut hasher);
        let Some(Claim { slot, is_new }) = self.stacks.claim(slot_table::key(&hasher)) else {
            self.dropped.fetch_add(sample.size, Ordering::Relaxed);
            return None;
        };
        let counts = self.stacks.counters(slot);
        counts.handles.fetch_add(sample.size, Ordering::Relaxed);
        counts.most.fetch_max(sample.held, Ordering::Relaxed);
        if is_new {
            let filler = stack_place(stack.ips()).unwrap_or(sample.opener);
            let trace = Trace::keep(stack, classifier, Vec::new(), false);
            let detail = Detail {
                kind: sample.kind,
                opener: sample.opener,
                filler,
                trace: Arc::new(trace),
            };
            return self.stacks.publish(slot, detail).map(|it| it.filler);
        }
        self.stacks.detail(slot).map(|detail| detail.filler)
    }

    /// Returns the scopes that took most first. Slow: names the places.
    pub(crate) fn scopes(&self, classifier: &FrameClassifier) -> Vec<FilledScope> {
        let mut scopes: Vec<FilledScope> = Vec::new();
        for (_, detail, counts) in self.stacks.published() {
            let opener = names::named(detail.opener, classifier);
            let most = counts.most.load(Ordering::Relaxed);
            let stack = FilledBy {
                place: names::named(detail.filler, classifier),
                trace: Arc::clone(&detail.trace),
                handles: counts.handles.load(Ordering::Relaxed),
            };
            let known = |it: &&mut FilledScope| (it.kind, it.place) == (detail.kind, opener);
            match scopes.iter_mut().find(known) {
                Some(scope) => {
                    scope.most = scope.most.max(most);
                    scope.stacks.push(stack);
                }
                None => scopes.push(FilledScope {
                    kind: detail.kind,
                    place: opener,
                    most,
                    stacks: vec![stack],
                }),
            }
        }
        for scope in &mut scopes {
            scope.stacks.sort_by_key(|stack| Reverse(stack.handles));
        }
        scopes.sort_by_key(|scope| Reverse(scope.handles()));
        scopes
    }

    /// How many handles stacks stand for that had no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The place of a whole stack, innermost frame first; `None` where there is no room for more of them.
pub(crate) fn stack_place(ips: &[usize]) -> Option<Place> {
    intern::stack_of(ips).map(Place::on)
}

impl fmt::Display for FilledScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind, place, most, ..
        } = self;
        writeln!(
            f,
            "  {:>9}  {kind} {place}, up to {most} at once",
            self.handles()
        )?;
        // One row for the stacks of one line.
        let mut rows: Vec<(Place, u64)> = Vec::new();
        for stack in &self.stacks {
            match rows.iter_mut().find(|(place, _)| *place == stack.place) {
                Some((_, handles)) => *handles += stack.handles,
                None => rows.push((stack.place, stack.handles)),
            }
        }
        rows.sort_by_key(|&(_, handles)| Reverse(handles));
        for (place, handles) in rows.iter().take(SHOWN) {
            writeln!(f, "  {handles:>9}    by {place}")?;
        }
        let rest = rows.get(SHOWN..).unwrap_or_default();
        if !rest.is_empty() {
            let handles: u64 = rest.iter().map(|(_, handles)| handles).sum();
            writeln!(f, "  {handles:>9}    by {} others", rest.len())?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::place::Location;
    use crate::unwind::capture::{Origin, UnwindMethod};

    fn sample(opener: &'static str, held: u64) -> Sample {
        Sample {
            kind: ScopeKind::HandleScope,
            opener: Place {
                name: Some(opener),
                location: Location::Source(std::panic::Location::caller()),
            },
            size: 1000,
            held,
        }
    }

    #[inline(never)]
    fn add(profile: &Profile, sample: &Sample) -> Option<Place> {
        let stack = CapturedStack::from(Origin::here(), UnwindMethod::Tables);
        profile.add(sample, &stack, FrameClassifier::NONE)
    }

    #[test]
    fn samples_are_counted_by_opener_and_stack() {
        let profile = Profile::new();
        let (main, worker) = (sample("main", 3000), sample("worker", 1000));
        let mut fillers = Vec::new();
        // Of any length: a loop that is unrolled would make two stacks.
        for _ in 0..std::hint::black_box(2) {
            fillers.push(add(&profile, &main));
        }
        fillers.push(add(&profile, &main));
        add(&profile, &worker);
        assert!(fillers[0].is_some() && fillers[0] == fillers[1]);
        assert_ne!(fillers[0], fillers[2], "another line");
        let scopes = profile.scopes(FrameClassifier::NONE);
        let rows: Vec<_> = scopes
            .iter()
            .map(|scope| (scope.place().name, scope.handles(), scope.most()))
            .collect();
        assert_eq!(
            rows,
            [(Some("main"), 3000, 3000), (Some("worker"), 1000, 1000)]
        );
        let by: Vec<u64> = scopes[0].stacks().iter().map(FilledBy::handles).collect();
        assert_eq!(by, [2000, 1000]);
    }

    #[test]
    fn the_text_has_one_row_for_the_stacks_of_one_line() {
        let by = |name, handles| FilledBy {
            place: Place {
                name: Some(name),
                location: Place::here(None).location,
            },
            trace: Arc::new(Trace::new(
                &[],
                None,
                FrameClassifier::NONE,
                Vec::new(),
                false,
            )),
            handles,
        };
        let scope = FilledScope {
            kind: ScopeKind::HandleScope,
            place: Place::code(0x10, 0),
            most: 5000,
            stacks: [
                ("on_close", 3000),
                ("on_read", 2000),
                ("on_close", 1000),
                ("on_end", 900),
                ("on_data", 800),
                ("on_error", 700),
            ]
            .map(|(name, handles)| by(name, handles))
            .into(),
        };
        let here = Place::here(None).to_string();
        let file = here.split(':').next().unwrap();
        let text = scope.to_string().replace(file, "FILE");
        let line = text.split("`on_close` at FILE:").nth(1).unwrap();
        let line = line.split('\n').next().unwrap();
        assert_eq!(
            text.replace(line, "LINE"),
            "       8400  HandleScope 0x10, up to 5000 at once
       4000    by `on_close` at FILE:LINE
       2000    by `on_read` at FILE:LINE
        900    by `on_end` at FILE:LINE
       1500    by 2 others
"
        );
    }

    #[test]
    fn stacks_without_room_are_counted_together() {
        let profile = Profile::new();
        let openers: Vec<Sample> = (0..2 * MAX_STACKS)
            .map(|nth| sample(nth.to_string().leak(), 1000))
            .collect();
        let kept = openers
            .iter()
            .filter(|opener| add(&profile, opener).is_some());
        let kept = kept.count() as u64;
        assert!(kept <= MAX_STACKS as u64);
        assert_eq!(profile.dropped(), 1000 * (openers.len() as u64 - kept));
    }
}
