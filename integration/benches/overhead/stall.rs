//! How long a violation holds the thread that commits it, and another one, at worst: ten thousand turns with a new site each
//! twenty, logged. By the clock and by the CPU time of the thread: on a machine that is busy, a turn is interrupted for longer than
//! it takes.

use crate::host::host;
use crate::paired::quantile;
use crate::row::Row;
use crate::violations::branch;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TURNS: u64 = 10_000;

/// One turn in so many has a site that no turn had before.
const NEW_SITE_EACH: u64 = 20;

/// Logged to a subscriber that drops the text.
pub fn to_subscriber() -> Vec<Row> {
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
    stall("to a subscriber")
}

/// Logged to stderr.
pub fn to_stderr() -> Vec<Row> {
    stall("to stderr")
}

/// The nanoseconds of each turn.
#[derive(Default)]
struct Samples {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Samples {
    fn time(&mut self, turn: impl FnOnce()) {
        let (wall, cpu) = (Instant::now(), thread_cpu());
        turn();
        let cpu = thread_cpu().saturating_sub(cpu);
        self.wall.push(wall.elapsed().as_nanos() as f64);
        self.cpu.push(cpu.as_nanos() as f64);
    }
}

/// The CPU time of this thread (clock_gettime(2)).
fn thread_cpu() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one `timespec`, through a pointer to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

fn stall(to: &str) -> Vec<Row> {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| other_thread(&ends));
        let turns = scope.spawn(turns).join();
        ends.store(true, Ordering::Relaxed);
        let (mut clean, mut violating) = turns.expect("a thread that ends");
        let mut other = other.join().expect("a thread that ends");
        let mut rows = Vec::new();
        for (line, samples) in [
            ("a clean turn".to_owned(), &mut clean),
            (
                format!("a turn, one in 20 with a new site, {to}"),
                &mut violating,
            ),
            (
                format!("a clean turn of another thread meanwhile, {to}"),
                &mut other,
            ),
        ] {
            for (clock, samples) in [("", &mut samples.wall), (" of CPU", &mut samples.cpu)] {
                for (name, at) in [("p50", 0.5), ("p99", 0.99), ("p100", 1.0)] {
                    let micros = quantile(samples, at) / 1000.0;
                    rows.push(Row::exact(
                        "stall",
                        format!("{line}: {name}{clock}"),
                        "us",
                        micros,
                    ));
                }
            }
        }
        rows
    })
}

/// Clean turns, and turns that commit a violation each.
fn turns() -> (Samples, Samples) {
    host!(scope);
    let mut clean = Samples::default();
    for _ in 0..TURNS {
        clean.time(|| clean_turn(scope));
    }
    let mut violating = Samples::default();
    for turn in 0..TURNS {
        violating.time(|| branch(scope, 20, turn / NEW_SITE_EACH));
    }
    let sites = handleguard_v8::handleguard::report().sites().len() as u64;
    assert_eq!(sites, TURNS / NEW_SITE_EACH, "one for each path");
    (clean, violating)
}

#[inline(never)]
fn clean_turn(scope: &mut v8::PinScope<'_, '_>) {
    handleguard_v8::turn!(scope, "clean");
    handleguard_v8::scope!(let scope, scope);
    let _callback = handleguard_v8::callback_guard(scope, "clean");
}

fn other_thread(ends: &AtomicBool) -> Samples {
    host!(scope);
    let mut turns = Samples::default();
    while !ends.load(Ordering::Relaxed) {
        turns.time(|| clean_turn(scope));
        std::thread::yield_now();
    }
    turns
}
