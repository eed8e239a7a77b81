//! Random programs, each with an engine whose scopes are only written down and with one whose scopes the stack is told of at
//! once: both must be told the same of.

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

/// An engine that counts as V8 does: `next`, `limit` and `level` side by side.
#[derive(Clone, Copy, Debug)]
struct Counting {
    words: &'static [Cell<usize>; 3],
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

    #[expect(unsafe_code, reason = "its words live for ever")]
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
    /// Closes the innermost, or the one so many further out.
    Close(usize),
    Handles(usize),
    /// The engine opens a scope of its own, or closes one.
    EngineScope,
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

/// What is told of `program`, and the depth after each step.
fn flushed_up_to(program: &[Step], engine: Counting) -> (Vec<String>, Vec<u32>) {
    let mut depths = Vec::new();
    let outcome = testing::run(|| {
        let [next, _, level] = engine.words;
        // Each with what the engine's counts go back to at its close.
        let mut open: Vec<(Open, usize, usize)> = Vec::new();
        let mut engines: Vec<usize> = Vec::new();
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
                    engines.push(before);
                    level.set(lower + 1);
                }
                Step::EngineClose => {
                    if let Some(back) = engines.pop() {
                        level.set(lower.saturating_sub(1));
                        next.set(before.min(back));
                    }
                }
            }
            if program.len().is_multiple_of(2) {
                // Asking has everything told at once: half of the programs are to go without.
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
        // The number of a scope counts those of the thread's other isolates too, where they are only written down.
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
    fn what_is_only_written_down_is_judged_as_what_the_stack_is_told_of(
        program in prop::collection::vec(step(), 0..60)
    ) {
        let fast = flushed_up_to(&program, Counting::new(true));
        let flushed_up_to = flushed_up_to(&program, Counting::new(false));
        prop_assert_eq!(fast, flushed_up_to);
    }
}

#[test]
fn a_scope_of_many_handles_is_told_of_when_it_closes() {
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

/// As a caller in another language has it.
#[test]
fn a_number_of_nothing_takes_nothing_written_down_away() {
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
    // 0 is what a caller has that was told that there is nothing to close.
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
