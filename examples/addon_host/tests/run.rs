//! Runs the program as a user does, with add-ons that were built with it, and checks its output and its exit status.
#![cfg(any(debug_assertions, feature = "enabled"))]

use handleguard_test_support::child::SIGABRT;
use handleguard_test_support::normal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program on `addons`, from the root of the workspace.
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
    let text = normal::handles_alive(&normal::seconds(&normal::lines(&text)));
    let text = normal::label(&text, "isolate", "<address>");
    let lines = text.lines();
    lines
        .filter(|line| !line.starts_with("handleguard: on: "))
        .map(|line| format!("{line}\n"))
        .collect()
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
    assert_eq!(normalised(&output.stderr), bad_rust("abort\n", 5));
}

fn bad_rust(action: &str, turn: u32) -> String {
    let text = BAD_RUST.replace("<N>", &turn.to_string());
    text.replace("<action>\n", action)
}

const BAD_RUST: &str = "\
handleguard: missing-scope: callback `libbad_rust.so!on_timer` at <addons>/libbad_rust.so started with no HandleScope opened since the turn began; its handles stay in the HandleScope `addon_host::main` at examples/addon_host/src/main.rs:LL:CC
      callback: `libbad_rust.so!on_timer` at <addons>/libbad_rust.so
         calls: onTimer
  swallowed by: HandleScope #1 `addon_host::main` at examples/addon_host/src/main.rs:LL:CC, opened <N> turns ago; <n> handles alive now
          turn: #<N> `libbad_rust.so!on_timer` at <addons>/libbad_rust.so
        thread: main
       isolate: <address>
          rule: missing-scope=<action>
          help: open a scope in `libbad_rust.so!on_timer` before its first handle: `handleguard_v8::scope!(let scope, scope);`
     backtrace (at the start of the callback):
        0: addon_host::host::call_function
             at examples/addon_host/src/host.rs:LL
        1: on_timer [libbad_rust.so]
             at examples/addon_host/addons/bad_rust.rs:LL
        2: addon_host::host::call
             at examples/addon_host/src/host.rs:LL
        3: addon_host::use_it
             at examples/addon_host/src/main.rs:LL
        4: addon_host::run
             at examples/addon_host/src/main.rs:LL
        5: addon_host::main
             at examples/addon_host/src/main.rs:LL
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
handleguard: never-closed: turn `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so ended with the HandleScope `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so still open
    still open: HandleScope #12 `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so; <n> handles alive now
         holds: 5 handles
          turn: #5 `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so
        thread: main
       isolate: <address>
          rule: never-closed=abort
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the turn):
        0: addon_host::host::call
             at examples/addon_host/src/host.rs:LL
        1: addon_host::use_it
             at examples/addon_host/src/main.rs:LL
        2: addon_host::run
             at examples/addon_host/src/main.rs:LL
        3: addon_host::main
             at examples/addon_host/src/main.rs:LL
";

#[test]
fn the_misuse_of_one_add_on_does_not_end_the_host() {
    let addons = ["libbad_cpp.so", "libgood_cpp.so"];
    let output = run("abort,addon:libbad_cpp.so=log", 50, &addons);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(normalised(&output.stderr), LOGGED);
    let stdout = normalised(&output.stdout);
    let mut sites: Vec<&str> = stdout.trim_end().split("\n\n").collect();
    // Equally frequent sites have no order.
    sites[1..].sort();
    assert_eq!(sites.join("\n\n"), REPORT);
}

const LOGGED: &str = "\
handleguard: never-closed: turn `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so ended with the HandleScope `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so still open
    still open: HandleScope #4 `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so; <n> handles alive now
         holds: 5 handles
          turn: #2 `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so
        thread: main
       isolate: <address>
          rule: never-closed=log, by addon:libbad_cpp.so=log
          help: let the scope end with its block: do not `mem::forget` it, and close it on every path out
     backtrace (at the end of the turn):
        0: addon_host::host::call
             at examples/addon_host/src/host.rs:LL
        1: addon_host::use_it
             at examples/addon_host/src/main.rs:LL
        2: addon_host::run
             at examples/addon_host/src/main.rs:LL
        3: addon_host::main
             at examples/addon_host/src/main.rs:LL
handleguard: out-of-order: HandleScope `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so closed while HandleScope `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so, which began inside it, is still open
       closing: HandleScope #7 `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so
    still open: HandleScope #8 `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so
        thread: main
       isolate: <address>
          rule: out-of-order=log, by addon:libbad_cpp.so=log
          help: close scopes in the reverse order of opening: keep each in a local variable of one block, not in a field, in a `Box` or across an `.await`
     backtrace (at the close):
        0: addon_host::host::close_scope
             at examples/addon_host/src/host.rs:LL
        1: on_close [libbad_cpp.so]
             at examples/addon_host/addons/bad_cpp.cc:LL
        2: addon_host::host::call
             at examples/addon_host/src/host.rs:LL
        3: addon_host::use_it
             at examples/addon_host/src/main.rs:LL
        4: addon_host::run
             at examples/addon_host/src/main.rs:LL
        5: addon_host::main
             at examples/addon_host/src/main.rs:LL
";

const REPORT: &str = "\
libbad_cpp.so: 100 calls, 100 violations, 0 handles left
libgood_cpp.so: 100 calls, 0 violations, 0 handles left
handleguard: 100 violations, 2 sites, 250 handles left, in N.N s

  handleguard itself: N.N ms spent on violations; 2 of 1024 sites in use

  never-closed: turn `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so ended with the HandleScope `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so still open
              addon_host::host::call (examples/addon_host/src/host.rs:LL)
              addon_host::use_it (examples/addon_host/src/main.rs:LL)
              addon_host::run (examples/addon_host/src/main.rs:LL)
              addon_host::main (examples/addon_host/src/main.rs:LL)
         50 times, 250 handles left; first N.N s, last N.N s after the start

  out-of-order: HandleScope `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so closed while HandleScope `libbad_cpp.so!on_close` at <addons>/libbad_cpp.so, which began inside it, is still open
              addon_host::host::close_scope (examples/addon_host/src/host.rs:LL)
              on_close [libbad_cpp.so] (examples/addon_host/addons/bad_cpp.cc:LL)
              addon_host::host::call (examples/addon_host/src/host.rs:LL)
              addon_host::use_it (examples/addon_host/src/main.rs:LL)
              addon_host::run (examples/addon_host/src/main.rs:LL)
              addon_host::main (examples/addon_host/src/main.rs:LL)
         50 times, 0 handles left; first N.N s, last N.N s after the start";

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
fn an_add_on_that_is_loaded_after_the_first_report_has_its_frames_named_too() {
    let output = run("log", 1, &["libbad_rust.so", "libbad_cpp.so"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = normalised(&output.stderr);
    for frame in [
        "on_timer [libbad_rust.so]\n             at examples/addon_host/addons/bad_rust.rs:LL\n",
        "on_close [libbad_cpp.so]\n             at examples/addon_host/addons/bad_cpp.cc:LL\n",
    ] {
        assert!(stderr.contains(frame), "{frame}");
    }
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

/// A panic must not unwind through frames of the add-on; at the end of the call, these are gone.
#[test]
fn panic_aborts_inside_an_add_on_and_panics_after_it() {
    let inside = run("panic", 1, &["libbad_rust.so"]);
    assert_eq!(inside.status.signal(), Some(SIGABRT));
    let note = "          note: panic aborts because frames of another language are on the stack, and a panic must not unwind \
                through them\n";
    let action = format!("panic\n{note}");
    assert_eq!(normalised(&inside.stderr), bad_rust(&action, 2));

    let after = run("panic", 1, &["libbad_cpp.so"]);
    assert_eq!(after.status.code(), Some(101));
    let stderr = normalised(&after.stderr);
    assert!(
        stderr.contains("handleguard: never-closed: turn `libbad_cpp.so!on_timer` at <addons>/libbad_cpp.so ended with"),
        "{stderr}"
    );
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
addon_host: libmissing.so: cannot be read: No such file or directory (os error 2); accepted: a shared object for this machine
addon_host: libother_machine.so: made for aarch64, and this host runs on x86_64; accepted: a shared object for this machine
addon_host: libno_symbol.so: exports no function `on_timer`; accepted: an add-on that exports on_timer and on_close
addon_host: addons.txt: Could not read file magic; accepted: a shared object for this machine
";
