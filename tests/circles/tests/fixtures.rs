//! The program on two small crates: one with circles, and one with what only looks like a circle.

use std::process::{Command, Output};

fn circles(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handleguard-circles"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/circles"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn planted_circles_are_printed_and_fail() {
    let output = circles(&["planted/lib.rs"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "\
planted/by_path/third.rs -> planted/by_use/first.rs -> planted/by_use/second.rs -> planted/by_path/third.rs
    planted/by_path/third.rs: crate::by_use::first::First
    planted/by_use/first.rs: super::second::Second
    planted/by_use/second.rs: crate::by_path::third
planted/lib.rs -> planted/root.rs -> planted/lib.rs
    planted/lib.rs: root::Thing
    planted/root.rs: crate::Thing
"
    );
}

#[test]
fn a_crate_without_a_circle_passes() {
    let output = circles(&["free/lib.rs"]);
    assert_eq!(stdout(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_import_from_a_file_that_may_not_is_printed_and_fails() {
    let allowed = circles(&["free/lib.rs", "--only", "free/lower.rs", "free/upper.rs"]);
    assert_eq!(allowed.status.code(), Some(0));
    let output = circles(&["free/lib.rs", "--only", "free/upper.rs", "free/lower.rs"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "free/lib.rs -> free/upper.rs, which only its own layer may import\n    free/lib.rs: upper::Upper\n"
    );
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    for arguments in [
        &["none.rs"][..],
        &["free/lib.rs", "--only", "free/none.rs"],
        &["free/lib.rs", "--only"],
    ] {
        assert_eq!(circles(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
