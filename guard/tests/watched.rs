//! Which turns are watched to see who makes their handles: no clean turn of a program that runs for long.
#![cfg(any(debug_assertions, feature = "enabled"))]

mod common;

use common::Fake;
use handleguard_test_support::child;

/// Runs `turns` turns, of which each leaves `handles`. Returns how many of them were watched.
fn watched(fake: Fake, turns: u32, handles: u64) -> u32 {
    let before = fake.watched.get();
    for _ in 0..turns {
        let _turn = handleguard::turn(fake, "loop");
        fake.handles
            .set(fake.handles.get().map(|now| now + handles));
    }
    fake.watched.get() - before
}

#[test]
fn turns_are_watched_at_first_and_after_they_left_handles() {
    const NAME: &str = "turns_are_watched_at_first_and_after_they_left_handles";
    if child::is_child() {
        let fake = Fake::new(0x3a7c);
        fake.level.set(Some(1));
        fake.handles.set(Some(0));
        let first = watched(fake, 100, 0);
        let clean = watched(fake, 1000, 0);
        // Nobody is caught here, so the place stays under watch.
        watched(fake, 1, 2);
        let suspect = watched(fake, 100, 0);
        println!("\n{first} {clean} {suspect}");
        return;
    }
    for (directives, expected) in [
        ("log", "16 0 100"),
        ("count", "16 0 100"),
        ("log,outer-growth=off", "0 0 0"),
        ("log,sealed=log", "0 0 0"),
        ("off", "0 0 0"),
    ] {
        let output = child::run(&mut child::command(NAME, directives));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.lines().any(|line| line == expected),
            "{directives}: {text}"
        );
    }
}

#[test]
fn each_turn_is_watched_where_the_first_report_ends_the_program() {
    const NAME: &str = "each_turn_is_watched_where_the_first_report_ends_the_program";
    if child::is_child() {
        let fake = Fake::new(0x3a7d);
        fake.level.set(Some(1));
        fake.handles.set(Some(0));
        println!("\n{}", watched(fake, 100, 0));
        // With no scope open, there is none that a handle could be left in.
        fake.level.set(Some(0));
        println!("\n{}", watched(fake, 100, 0) + 1000);
        return;
    }
    for directives in ["abort", "panic"] {
        let output = child::run(&mut child::command(NAME, directives));
        let text = String::from_utf8_lossy(&output.stdout);
        for expected in ["100", "1000"] {
            assert!(
                text.lines().any(|line| line == expected),
                "{directives}: {text}"
            );
        }
    }
}
