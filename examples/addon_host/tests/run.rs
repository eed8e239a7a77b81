//! Runs the program as a user does, with add-ons that were built with it, and looks at what it prints and how it ends.
#![cfg(any(debug_assertions, feature = "enabled"))]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

const SIGABRT: i32 = 6;

/// Runs it on those of the built add-ons, from the root of the workspace.
fn run(directives: &str, calls: u32, addons: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO_BIN_EXE_addon_host"))
        .current_dir(root.canonicalize().expect("the root of the workspace"))
        .env("HANDLEGUARD", directives)
        .env("RUST_BACKTRACE", "0")
        .args(["--calls", &calls.to_string()])
        .args(
            addons
                .iter()
                .map(|file| Path::new(env!("ADDONS")).join(file)),
        )
        .output()
        .expect("the program starts");
    println!("{}", output.status);
    println!("stdout:\n{}", String::from_utf8_lossy(&output.stdout));
    println!("stderr:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Without what differs from machine to machine and from edit to edit: the folder of the add-ons, lines of sources,
/// addresses, seconds, the panic's own line and the start-up line.
fn normalised(text: &[u8]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the root of the workspace");
    let root = format!("{}/", root.display());
    let text = String::from_utf8_lossy(text).replace(&root, "");
    let text = text.replace(&env!("ADDONS").replace(&root, ""), "<addons>");
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("handleguard: on: ") {
            continue;
        }
        let line = match line.split_once(": ") {
            Some((label, _)) if label.trim() == "isolate" => format!("{label}: <address>"),
            _ => without_numbers(line),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `src/host.rs:55:9` as `src/host.rs:LL`, `0.5 s` as `N.N s`.
fn without_numbers(line: &str) -> String {
    let seconds = |word: &str| word.contains('.') && word.parse::<f64>().is_ok();
    let words: Vec<String> = line
        .split(' ')
        .map(
            |word| match word.split_once(".rs:").or(word.split_once(".cc:")) {
                Some((file, rest)) => {
                    let kind = &word[file.len()..file.len() + 4];
                    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
                    format!("{file}{kind}LL{after}")
                }
                None if seconds(word) => "N.N".to_owned(),
                None => word.to_owned(),
            },
        )
        .collect();
    words.join(" ")
}

#[test]
fn good_add_ons_are_silent_over_100_000_calls() {
    let output = run("", 50_000, &["libgood_rust.so", "libgood_cpp.so"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(normalised(&output.stderr), "");
    assert_eq!(
        normalised(&output.stdout),
        "\
libgood_rust.so: 100000 calls, 0 violations, 0 handles left
libgood_cpp.so: 100000 calls, 0 violations, 0 handles left
handleguard: 0 violations, 0 sites, 0 handles left, in N.N s
"
    );
}

#[test]
fn a_bad_add_on_in_rust_is_named_by_file_and_symbol_in_its_first_call() {
    let output = run("abort", 1, &["libgood_rust.so", "libbad_rust.so"]);
    assert_eq!(output.status.signal(), Some(SIGABRT));
    assert_eq!(
        normalised(&output.stdout),
        "libgood_rust.so: 2 calls, 0 violations, 0 handles left\n"
    );
    assert_eq!(
        normalised(&output.stderr),
        BAD_RUST.replace("<action>", "abort")
    );
}

const BAD_RUST: &str = "\
";

#[test]
fn a_bad_add_on_in_cpp_is_named_by_file_and_symbol_in_its_first_call() {
    let output = run("abort", 1, &["libgood_cpp.so", "libbad_cpp.so"]);
    assert_eq!(output.status.signal(), Some(SIGABRT));
    assert_eq!(
        normalised(&output.stdout),
        "libgood_cpp.so: 2 calls, 0 violations, 0 handles left\n"
    );
    assert_eq!(normalised(&output.stderr), BAD_CPP);
}

const BAD_CPP: &str = "\
";

#[test]
fn the_misuse_of_one_add_on_does_not_end_the_host() {
    let addons = ["libbad_cpp.so", "libgood_cpp.so"];
    let output = run("abort,addon:libbad_cpp.so=log", 50, &addons);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(normalised(&output.stderr), LOGGED);
    assert_eq!(normalised(&output.stdout), REPORT);
}

const LOGGED: &str = "\
";

const REPORT: &str = "\
";

#[test]
fn the_policy_is_of_that_add_on_alone() {
    let addons = ["libbad_cpp.so", "libbad_rust.so"];
    let output = run("abort,addon:libbad_cpp.so=off", 1, &addons);
    assert_eq!(output.status.signal(), Some(SIGABRT));
    assert_eq!(
        normalised(&output.stdout),
        "libbad_cpp.so: 2 calls, 0 violations, 0 handles left\n"
    );
    let stderr = normalised(&output.stderr);
    assert!(stderr.starts_with("handleguard: missing-scope: callback `libbad_rust.so!on_timer`"));
}

#[test]
fn an_add_on_has_an_action_where_the_rules_have_none() {
    let addons = ["libbad_cpp.so", "libbad_rust.so"];
    let output = run("off,addon:libbad_rust.so=count", 10, &addons);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(normalised(&output.stderr), "");
    let stdout = normalised(&output.stdout);
    let (calls, _) = stdout.split_once("handleguard: ").expect("a report");
    assert_eq!(
        calls,
        "\
libbad_cpp.so: 20 calls, 0 violations, 0 handles left
libbad_rust.so: 20 calls, 20 violations, 60 handles left
"
    );
}

/// In its own frames, no panic may unwind; at the end of the call, they are gone.
#[test]
fn panic_aborts_inside_an_add_on_and_panics_after_it() {
    let inside = run("panic", 1, &["libbad_rust.so"]);
    assert_eq!(inside.status.signal(), Some(SIGABRT));
    let note = "          note: panic aborts, for frames of another language are on the stack, and a panic must not \
                unwind through them\n";
    let expected = BAD_RUST.replace("<action>\n", &format!("panic\n{note}"));
    assert_eq!(normalised(&inside.stderr), expected);

    let after = run("panic", 1, &["libbad_cpp.so"]);
    assert_eq!(after.status.code(), Some(101));
    let stderr = normalised(&after.stderr);
    let expected = BAD_CPP.replace("never-closed=abort", "never-closed=panic");
    assert!(stderr.contains(&expected), "{stderr}");
}

#[test]
fn an_add_on_that_cannot_be_used_is_one_clear_error_and_the_others_go_on() {
    let addons = [
        "libmissing.so",
        "libother_machine.so",
        "libno_symbol.so",
        "addons.txt",
        "libgood_rust.so",
    ];
    std::fs::write(Path::new(env!("ADDONS")).join("addons.txt"), "no object").expect("a file");
    let output = run("", 1, &addons);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(normalised(&output.stderr), UNUSABLE);
    assert_eq!(
        normalised(&output.stdout),
        "\
libgood_rust.so: 2 calls, 0 violations, 0 handles left
handleguard: 0 violations, 0 sites, 0 handles left, in N.N s
"
    );
}

const UNUSABLE: &str = "\
";
