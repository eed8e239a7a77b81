//! Several threads at once: counts are exact, and a report may be made at any time.
//!
//! Only atomics and joins order anything here, so that ThreadSanitizer, which cannot look into the standard library,
//! sees all of it. That is why there is a `main` and not the usual harness, whose channel it takes for a race.

mod common;

use common::Fake;
use handleguard::{Action, Config, Rule};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const THREADS: u64 = 4;
const ROUNDS: u64 = 200;

/// The thread whose isolate comes next.
static FIRST: AtomicU64 = AtomicU64::new(0);

/// The place that all threads share.
#[inline(never)]
fn at_one_place(fake: Fake) {
    let _callback = handleguard::callback(fake, "shared");
    fake.handles
        .set(fake.handles.get().map(|before| before + 2));
}

/// A place for each thread.
#[inline(never)]
fn at_places_of_their_own(fake: Fake, thread: u64) {
    let name = ["a", "b", "c", "d"][usize::try_from(thread).unwrap()];
    let _callback = handleguard::callback(fake, name);
    std::hint::black_box(());
}

fn work(thread: u64) {
    let fake = Fake::new(usize::try_from(thread + 1).unwrap());
    fake.handles.set(Some(0));
    // One after the other: the first guard of an isolate takes a mutex, and when that is contended, ThreadSanitizer does not
    // see it taken.
    while FIRST.load(Ordering::Acquire) != thread {
        thread::yield_now();
    }
    let _main = handleguard::scope(fake, "main");
    FIRST.store(thread + 1, Ordering::Release);
    for _ in 0..ROUNDS {
        let turn = handleguard::turn(fake, "uv_run");
        at_one_place(fake);
        drop(turn);
        let turn = handleguard::turn(fake, "uv_run");
        at_places_of_their_own(fake, thread);
        drop(turn);
        assert_eq!(handleguard::depth(), 1, "each thread has its own");
    }
}

fn main() {
    if handleguard::COMPILED_IN {
        counts_of_many_threads_are_exact_and_reports_may_be_made_meanwhile();
        println!("test result: ok. 1 passed");
    }
}

fn counts_of_many_threads_are_exact_and_reports_may_be_made_meanwhile() {
    Config::new()
        .action(Action::Count)
        .tick(Duration::ZERO)
        .try_init()
        .expect("HANDLEGUARD must not be set");
    let done = AtomicBool::new(false);
    let mut ticked = 0;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        let done = &done;
        let reader = scope.spawn(move || {
            let mut seen = 0;
            while !done.load(Ordering::Acquire) {
                let now = handleguard::report().violations();
                assert!(now >= seen, "counts only grow: {seen}, then {now}");
                seen = now;
            }
        });
        let (interval, _) = handleguard::tick();
        ticked += interval.violations();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });

    let report = handleguard::report();
    assert_eq!(report.violations(), 2 * THREADS * ROUNDS);
    assert_eq!(report.dropped(), 0);
    let named = |name: &str| {
        report
            .sites()
            .iter()
            .filter(|site| {
                let finding = site.violation().finding();
                finding.rule() == Rule::MissingScope
                    && finding.callback().unwrap().name == Some(name)
            })
            .map(|site| (site.count(), site.handles()))
            .collect::<Vec<_>>()
    };
    assert_eq!(named("shared"), [(THREADS * ROUNDS, 2 * THREADS * ROUNDS)]);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(named(name), [(ROUNDS, 0)]);
    }
    assert_eq!(
        report.sites().len(),
        usize::try_from(1 + THREADS).unwrap(),
        "one for the shared place, and one for each thread's own"
    );

    let (interval, all) = handleguard::tick();
    ticked += interval.violations();
    assert_eq!(ticked, 2 * THREADS * ROUNDS, "intervals add up to all");
    assert_eq!(all.violations(), ticked);
}
