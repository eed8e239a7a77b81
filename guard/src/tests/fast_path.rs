//! Random programs, each run twice: with an engine whose scopes and callbacks go to the pending log, and with one whose go to
//! the scope stack. The reports and depths must be the same.

use crate::CallbackGuard;
use crate::ScopeGuard;
use crate::TurnGuard;
use crate::callback_at;
use crate::describe::scope::ScopeKind;
use crate::engine::capabilities::Capabilities;
use crate::engine::counters::Counters;
use crate::engine::counters::Cursor;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::wording::FrameClassifier;
use crate::engine::wording::Wording;
use crate::place::Place;
use crate::scope_at;
use crate::testing;
use crate::turn_at;
use proptest::prelude::*;
use std::cell::Cell;

/// An engine with the counters of V8: `next`, `limit` and `level`, side by side.
#[derive(Clone, Copy, Debug)]
struct Counting {
    words: &'static [Cell<usize>; 3],
    /// Whether the engine offers its counters to the fast path.
    fast: bool,
}

impl Counting {
    fn new(fast: bool) -> Self {
        let words = [START, START + 8 * 1022, 0].map(Cell::new);
        Self {
            words: Box::leak(Box::new(words)),
            fast,
        }
    }
}

const START: usize = 0x1000;

impl Engine for Counting {
    const WORDING: &'static Wording = &Wording {
        open_scope: "scope!()",
        mark_turn: "turn!()",
        enter_isolate: "enter!()",
        classifier: FrameClassifier::NONE,
    };

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        IsolateId(self.words.as_ptr().addr())
    }

    #[expect(unsafe_code, reason = "the words are leaked, so they are always live")]
    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }

    fn entered(self) -> Entered {
        Entered::Isolate(self.isolate())
    }
}

impl LiveIsolate for Counting {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        u32::try_from(self.words[2].get()).ok()
    }

    fn handles(self) -> Option<u64> {
        Some((self.words[0].get() - START) as u64 / 8)
    }

    fn cursor(self) -> Option<Cursor> {
        Some(Cursor {
            next: self.words[0].get(),
            limit: self.words[1].get(),
        })
    }

    #[expect(
        unsafe_code,
        reason = "the words are leaked, so they are always readable"
    )]
    fn counters(self) -> Option<Counters> {
        let first = self.words.as_ptr().cast::<usize>();
        // SAFETY: leaked in `new`, and `Counting` is not sent to another thread.
        let counters = unsafe { Counters::new(first, first.add(2).cast()) };
        self.fast.then_some(counters)
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: Ok("counted".to_owned()),
            handles: Ok("counted".to_owned()),
            hooks: Err("not in a test".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Scope,
    TryCatch,
    Callback,
    Turn,
    /// Drops the innermost guard, or the one so many further out.
    Close(usize),
    Handles(usize),
    /// The engine opens a scope without a guard.
    EngineScope,
    /// The engine closes a scope without a guard.
    EngineClose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Scope),
        1 => Just(Step::TryCatch),
        3 => Just(Step::Callback),
        2 => Just(Step::Turn),
        6 => Just(Step::Close(0)),
        1 => (1..3usize).prop_map(Step::Close),
        2 => (1..100usize).prop_map(Step::Handles),
        1 => Just(Step::EngineScope),
        1 => Just(Step::EngineClose),
    ]
}

#[expect(dead_code, reason = "kept for their drop")]
enum Open {
    Scope(ScopeGuard<Counting>),
    Callback(CallbackGuard<Counting>),
    Turn(TurnGuard<Counting>),
}

/// Runs `program`. Returns its reports, and the depth after each step.
fn run(program: &[Step], engine: Counting) -> (Vec<String>, Vec<u32>) {
    let mut depths = Vec::new();
    let outcome = testing::run(|| {
        let [next, _, level] = engine.words;
        // Each guard with the `next` that its close goes back to, and the levels that it takes away.
        let mut open: Vec<(Open, usize, usize)> = Vec::new();
        // For each scope without a guard, the `next` that its close goes back to.
        let mut unguarded: Vec<usize> = Vec::new();
        for step in program {
            let (before, lower) = (next.get(), level.get());
            match *step {
                Step::Scope => {
                    level.set(lower + 1);
                    let guard = scope_at(engine, ScopeKind::HandleScope, Place::here("scope"));
                    open.push((Open::Scope(guard), before, 1));
                }
                Step::TryCatch => {
                    let guard = scope_at(engine, ScopeKind::TryCatch, Place::here("try"));
                    open.push((Open::Scope(guard), usize::MAX, 0));
                }
                Step::Callback => {
                    let guard = callback_at(engine, Place::here("callback"), || None);
                    open.push((Open::Callback(guard), usize::MAX, 0));
                }
                Step::Turn => {
                    let guard = turn_at(engine, Place::here("turn"));
                    open.push((Open::Turn(guard), usize::MAX, 0));
                }
                Step::Close(further) => {
                    if let Some(at) = open.len().checked_sub(1 + further) {
                        let (guard, back, levels) = open.remove(at);
                        drop(guard);
                        level.set(lower.saturating_sub(levels));
                        next.set(before.min(back));
                    }
                }
                Step::Handles(made) => next.set(before + 8 * made),
                Step::EngineScope => {
                    unguarded.push(before);
                    level.set(lower + 1);
                }
                Step::EngineClose => {
                    if let Some(back) = unguarded.pop() {
                        level.set(lower.saturating_sub(1));
                        next.set(before.min(back));
                    }
                }
            }
            if program.len().is_multiple_of(2) {
                // A look at the depth flushes the log, so only half of the programs take it.
                depths.push(crate::depth());
            }
        }
        while let Some((guard, ..)) = open.pop() {
            drop(guard);
        }
        crate::end_isolate(engine);
    });
    let sentences = outcome.violations.iter();
    let sentences = sentences.map(|it| {
        let text = format!("{} ({})", it.sentence(), it.handles());
        // Isolates of one thread share the ids of the log, so the numbers of scopes differ between the two runs.
        let unnumbered = |word| {
            if str::starts_with(word, '#') {
                "#"
            } else {
                word
            }
        };
        let words: Vec<&str> = text.split(' ').map(unnumbered).collect();
        words.join(" ")
    });
    (sentences.collect(), depths)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn a_program_by_the_pending_log_gets_the_same_verdicts_as_by_the_scope_stack(
        program in prop::collection::vec(step(), 0..60)
    ) {
        let logged = run(&program, Counting::new(true));
        let recorded = run(&program, Counting::new(false));
        prop_assert_eq!(logged, recorded);
    }
}

#[test]
fn a_logged_scope_of_many_handles_leaves_its_high_water_mark() {
    let engine = Counting::new(true);
    testing::run(|| {
        let _turn = turn_at(engine, Place::here("turn"));
        for made in [1, 1000] {
            let _scope = scope_at(engine, ScopeKind::HandleScope, Place::here("worker"));
            engine.words[2].set(1);
            engine.words[0].set(START + 8 * made);
        }
    });
    let report = crate::report();
    let worker = report
        .scopes()
        .iter()
        .find(|scope| scope.place.name == Some("worker"));
    assert_eq!(worker.map(|scope| scope.most), Some(999));
}

/// A caller in another language holds such a number.
#[test]
fn a_number_that_names_no_entry_removes_no_entry_of_the_log() {
    use crate::engine::ids::EntryId;

    let engine = Counting::new(true);
    let outcome = testing::run(|| {
        let _turn = turn_at(engine, Place::here("turn"));
        engine.words[2].set(1);
        let inner = scope_at(engine, ScopeKind::HandleScope, Place::here("inner"));
        for number in [0, u64::MAX] {
            let id = EntryId::from_number(number);
            drop(CallbackGuard::attach(engine, id));
            drop(ScopeGuard::attach(engine, id));
            assert_eq!(crate::depth(), 1);
        }
        drop(inner);
        assert_eq!(crate::depth(), 0);
        engine.words[2].set(0);
    });
    // 0 means that there is nothing to close, so only the other number is reported.
    let sentences: Vec<_> = outcome
        .violations
        .iter()
        .map(|it| it.sentence().to_string())
        .collect();
    assert_eq!(
        sentences,
        [
            "out-of-order: scope #18446744073709551615 closed, but it is not open (closed twice, or its enclosing scope was closed first)"
        ]
    );
    crate::end_isolate(engine);
}
