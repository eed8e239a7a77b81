//! The whole text of the report. Alone in its file, as it counts what the process does.
#![cfg(any(debug_assertions, feature = "enabled"))]

mod common;

use common::{Fake, normalised};
use handleguard::{Action, Config};
use std::time::Duration;

#[inline(never)]
fn on_close(fake: Fake) {
    let _callback = handleguard::callback(fake, "on_close");
    fake.handles
        .set(fake.handles.get().map(|before| before + 2));
}

#[inline(never)]
fn uv_run(fake: Fake, work: &dyn Fn()) {
    let _turn = handleguard::turn(fake, "uv_run");
    work();
}

const EMPTY: &str = "\
handleguard: 0 violations, 0 sites, 0 handles left, in N.N s
";

const FIRST: &str = "\
handleguard: 4 violations, 2 sites, 7 handles left, in N.N s

  missing-scope: callback `on_close` at report.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope `main` at report.rs:LL:CC
              report::on_close (tests/report.rs:LL)
          3 times, 6 handles left; first N.N s, last N.N s after the start

  outer-growth: turn `uv_run` at report.rs:LL:CC left 1 handle in the HandleScope `main` at report.rs:LL:CC
              report::uv_run (tests/report.rs:LL)
          1 time, 1 handle left; first N.N s, last N.N s after the start

  handleguard itself: N.N ms spent on violations; 2 of 1024 sites in use
";

const SECOND: &str = "\
handleguard: 1 violation, 1 site, 2 handles left, in N.N s

  missing-scope: callback `on_close` at report.rs:LL:CC started with no HandleScope opened since the turn began; its handles stay in the HandleScope `main` at report.rs:LL:CC
              report::on_close (tests/report.rs:LL)
          1 time, 2 handles left; first N.N s, last N.N s after the start

  handleguard itself: N.N ms spent on violations; 2 of 1024 sites in use
";

/// Of each stack, the first frame only.
fn table(report: &handleguard::Report) -> String {
    let text = normalised(&report.to_string(), file!());
    let text =
        normalised(&text, "tests/report.rs").replace(" (report.rs:LL)", " (tests/report.rs:LL)");
    let mut out = String::new();
    let mut frames = 0;
    for line in text.lines() {
        let is_frame = line.starts_with("              ");
        frames = if is_frame { frames + 1 } else { 0 };
        if frames <= 1 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[test]
fn sites_are_listed_by_their_counts_with_stacks_and_handles() {
    Config::new()
        .action(Action::Count)
        .tick(Duration::ZERO)
        .try_init()
        .expect("HANDLEGUARD must not be set");
    assert_eq!(table(&handleguard::report()), EMPTY);
    assert!(handleguard::report().is_clean());

    let fake = Fake::new(1);
    fake.handles.set(Some(0));
    let _main = handleguard::scope(fake, "main");
    let turn = |work: &dyn Fn()| uv_run(fake, work);
    turn(&|| fake.handles.set(Some(1)));
    for round in 1..=std::hint::black_box(4) {
        // One stack, as long as the loop is not unrolled: one site.
        turn(&|| on_close(fake));
        if round == 3 {
            let (interval, all) = handleguard::tick();
            assert_eq!(table(&interval), FIRST);
            assert_eq!(table(&all), FIRST);
            assert_eq!(all.violations(), 4);
            assert!(!all.is_clean());
            let (interval, _) = handleguard::tick();
            assert_eq!(table(&interval), EMPTY, "nothing came since");
        }
    }
    let (interval, all) = handleguard::tick();
    assert_eq!(table(&interval), SECOND);
    assert_eq!(all.sites().len(), 2);
    assert_eq!(all.sites()[0].count(), 4);
    assert_eq!(all.sites()[0].handles(), 8);
    assert_eq!(all.violations(), 5);
    assert_eq!(all.dropped(), 0);
}
