//! Isolates that end before their guards, and isolates that change threads.
#![expect(unsafe_code, reason = "hands out counters that are words of the test")]

use crate::depth;
use crate::describe::gc_phase::GcPhase;
use crate::engine::capabilities::Capabilities;
use crate::engine::counters::{Counters, Cursor};
use crate::engine::entered::Entered;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::wording::{FrameClassifier, Wording};
use crate::place::Place;
use crate::{addon, callback, collection_begins, end_isolate, enter, gc, scope, testing, turn};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;

/// An isolate that may change threads, counts as V8 does, and counts who asks it after its end.
#[derive(Clone, Copy, Debug)]
struct Mobile(&'static State);

#[derive(Debug)]
struct State {
    /// `next`, `limit` and `level`, side by side.
    words: [AtomicUsize; 3],
    ended: AtomicBool,
    asked_after_its_end: AtomicU32,
}

const FIRST: usize = 0x1000;

impl Mobile {
    fn new() -> Self {
        Self(Box::leak(Box::new(State {
            words: [FIRST, FIRST + 8 * 1022, 0].map(AtomicUsize::new),
            ended: AtomicBool::new(false),
            asked_after_its_end: AtomicU32::new(0),
        })))
    }

    fn word(self, index: usize) -> usize {
        if self.0.ended.load(Ordering::Relaxed) {
            self.0.asked_after_its_end.fetch_add(1, Ordering::Relaxed);
        }
        self.0.words[index].load(Ordering::Relaxed)
    }

    fn set_level(self, level: usize) {
        self.0.words[2].store(level, Ordering::Relaxed);
    }

    /// Ends the isolate as an engine layer does: the record first.
    fn end(self) {
        end_isolate(self);
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// A new isolate begins at the same address.
    fn begin_again(self) {
        self.0.ended.store(false, Ordering::Relaxed);
        self.set_level(0);
    }

    fn asked_after_its_end(self) -> u32 {
        self.0.asked_after_its_end.load(Ordering::Relaxed)
    }
}

impl Engine for Mobile {
    const WORDING: &'static Wording = &Wording {
        open_scope: "",
        mark_turn: "",
        enter_isolate: "",
        classifier: FrameClassifier::NONE,
    };

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        IsolateId((&raw const *self.0).addr())
    }

    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }

    fn entered(self) -> Entered {
        Entered::Isolate(self.isolate())
    }
}

impl LiveIsolate for Mobile {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        u32::try_from(self.word(2)).ok()
    }

    fn handles(self) -> Option<u64> {
        Some((self.word(0) - FIRST) as u64 / 8)
    }

    fn cursor(self) -> Option<Cursor> {
        Some(Cursor {
            next: self.word(0),
            limit: self.word(1),
        })
    }

    fn counters(self) -> Option<Counters> {
        let first = self.0.words.as_ptr().cast::<usize>();
        // SAFETY: the words are leaked, and one thread at a time uses the isolate: the tests join each thread.
        Some(unsafe { Counters::new(first, first.add(2).cast()) })
    }

    fn seal(self, _: EntryId) -> bool {
        self.word(2);
        true
    }

    fn unseal(self, _: EntryId) {
        self.word(2);
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: Ok("counted".to_owned()),
            handles: Ok("counted".to_owned()),
            hooks: Err("not in a test".to_owned()),
        }
    }
}

/// Drops each kind of guard after the isolate has ended.
fn outlive(isolate: Mobile, guard: impl FnOnce(Mobile) -> Box<dyn std::any::Any>) {
    let violations = testing::run(|| {
        let guard = guard(isolate);
        isolate.end();
        drop(guard);
    })
    .violations;
    // A scope or turn that is open at the end is `never-closed`; nothing else may be found.
    assert!(violations.len() <= 1, "{violations:#?}");
    assert_eq!(isolate.asked_after_its_end(), 0);
}

#[test]
fn a_guard_that_outlives_its_isolate_asks_it_nothing() {
    let place = Place::here("late");
    outlive(Mobile::new(), |isolate| Box::new(turn(isolate, None)));
    outlive(Mobile::new(), |isolate| {
        isolate.set_level(1);
        Box::new(scope(isolate, None))
    });
    outlive(Mobile::new(), |isolate| {
        isolate.set_level(1);
        let scope = scope(isolate, None);
        Box::new((callback(isolate, None), scope))
    });
    outlive(Mobile::new(), |isolate| {
        Box::new(gc(isolate, GcPhase::SecondPass, place))
    });
    let function = crate::AddonFunction::new("liba.so".as_ref(), "f");
    outlive(Mobile::new(), |isolate| Box::new(addon(isolate, function)));
}

#[test]
fn a_detached_turn_that_outlives_its_isolate_asks_it_nothing() {
    let isolate = Mobile::new();
    let guard = turn(isolate, None);
    isolate.end();
    assert!(guard.detach().is_some());
    assert_eq!(isolate.asked_after_its_end(), 0);
}

/// Leaves a scope open in `isolate` on this thread, by the slow path and by the fast one.
fn use_and_forget(isolate: Mobile) {
    for level in 1..=3 {
        isolate.set_level(level);
        std::mem::forget(scope(isolate, None));
    }
    assert_eq!(depth(), 3);
}

#[test]
fn an_isolate_that_ends_on_another_thread_leaves_no_entry_behind() {
    let isolate = Mobile::new();
    use_and_forget(isolate);
    thread::spawn(move || isolate.end()).join().unwrap();
    isolate.begin_again();

    // The first scope of the new isolate takes the slow path, the second one the fast path.
    isolate.set_level(1);
    let outer = scope(isolate, None);
    isolate.set_level(2);
    let inner = scope(isolate, None);
    assert_eq!(depth(), 2);
    drop(inner);
    isolate.set_level(1);
    drop(outer);
    isolate.set_level(0);
    assert_eq!(depth(), 0);
    assert_eq!(isolate.asked_after_its_end(), 0);
}

#[test]
fn an_isolate_that_ends_on_another_thread_takes_the_fast_path_with_it() {
    let isolate = Mobile::new();
    for _ in 0..3 {
        isolate.set_level(1);
        drop(scope(isolate, None));
        isolate.set_level(0);
    }
    thread::spawn(move || isolate.end()).join().unwrap();
    isolate.begin_again();

    // Logged by the fast path of the old isolate, this scope would be lost with the old record.
    isolate.set_level(1);
    let guard = scope(isolate, None);
    assert_eq!(depth(), 1);
    drop(guard);
}

#[test]
fn a_guard_of_an_isolate_that_ended_on_another_thread_does_not_close_a_scope_of_a_later_one() {
    let isolate = Mobile::new();
    isolate.set_level(1);
    let outlived = scope(isolate, None);
    thread::spawn(move || isolate.end()).join().unwrap();
    isolate.begin_again();

    let violations = testing::run(|| {
        isolate.set_level(1);
        let outer = scope(isolate, None);
        drop(outlived);
        assert_eq!(depth(), 1, "the new scope is still open");
        drop(outer);
        isolate.set_level(0);
    })
    .violations;
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn a_collection_and_an_entry_of_an_isolate_that_ended_elsewhere_are_forgotten() {
    let isolate = Mobile::new();
    isolate.set_level(1);
    let place = Place::here("enter");
    enter(isolate, place);
    let guard = scope(isolate, None);
    collection_begins(isolate);
    thread::spawn(move || isolate.end()).join().unwrap();
    drop(guard);
    isolate.begin_again();

    let violations = testing::run(|| {
        isolate.set_level(1);
        drop(scope(isolate, None));
        isolate.set_level(0);
    })
    .violations;
    assert!(violations.is_empty(), "{violations:#?}");
}
