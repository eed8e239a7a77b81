//! Builds programs in C and C++ with the headers, links them with the library, runs them, and compares their whole output. The
//! compilers are `cc` and `c++`, or those that `CC` and `CXX` name.

use handleguard_c::{
    Callback, HANDLEGUARD_ABI_VERSION, Place, Reader, Scope, ScopeKind, Status, Turn,
};
use handleguard_test_support::child::SIGABRT;
use handleguard_test_support::normal;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const STATIC: &str = "libhandleguard_c.a";

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// What the static library needs; `cargo rustc -p handleguard-c -- --print native-static-libs` prints it.
const LIBRARIES: [&str; 7] = [
    "-lgcc_s",
    "-lutil",
    "-lrt",
    "-lpthread",
    "-lm",
    "-ldl",
    "-lc",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds `tests/programs/<source>`, with the static library or the shared one.
fn build(variable: &str, default: &str, source: &str, flags: &[&str], library: &str) -> PathBuf {
    let compiler = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    // Cargo has put it beside this test.
    let library = std::env::current_exe().unwrap().with_file_name(library);
    let program = format!("{source}_{}", library.extension().unwrap().display());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program.replace('.', "_"));
    let sizes = [
        ("ABI_VERSION", HANDLEGUARD_ABI_VERSION as usize),
        ("STATUS_SIZE", size_of::<Status>()),
        ("SCOPE_KIND_SIZE", size_of::<ScopeKind>()),
        ("READER_SIZE", size_of::<Reader>()),
        ("PLACE_SIZE", size_of::<Place>()),
        ("TURN_SIZE", size_of::<Turn>()),
        ("SCOPE_SIZE", size_of::<Scope>()),
        ("CALLBACK_SIZE", size_of::<Callback>()),
    ];
    let mut command = Command::new(&compiler);
    command
        .current_dir(root())
        .args(WARNINGS)
        .args(flags)
        .args(["-g", "-O1", "-fno-omit-frame-pointer", "-I", "include"])
        .args(sizes.map(|(name, size)| format!("-D{name}={size}")))
        .arg(format!("tests/programs/{source}"))
        .arg(library)
        .args(LIBRARIES)
        .arg("-o")
        .arg(&program);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{stderr}");
    assert_eq!(stderr, "", "no warnings");
    program
}

/// Built once: the tests run side by side.
fn c() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> =
        LazyLock::new(|| build("CC", "cc", "host.c", &["-std=c11"], STATIC));
    &PROGRAM
}

fn cpp() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti"];
        build("CXX", "c++", "host.cc", &flags, STATIC)
    });
    &PROGRAM
}

fn run(program: &Path, argument: Option<&str>, directives: &str) -> Output {
    let output = Command::new(program)
        .current_dir(root())
        .args(argument)
        .env("HANDLEGUARD", directives)
        .output()
        .unwrap();
    println!("{output:#?}");
    output
}

/// Without what differs from run to run, and from edit to edit. Which rules there are, and how stacks are captured, have their
/// own tests.
fn normalised(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace(&format!("{}/", root().display()), "");
    let text = normal::seconds(&normal::lines(&normal::addresses(&text)));
    let text = normal::between(&text, "; sees stacks (", ")");
    normal::between(&text, "handleguard: on: ", ";")
}

fn addresses(text: &[u8]) -> String {
    normal::addresses(&String::from_utf8_lossy(text))
}

/// Compares with `tests/programs/<name>`.
#[track_caller]
fn assert_text(text: &[u8], name: &str) {
    let expected = std::fs::read_to_string(root().join("tests/programs").join(name)).unwrap();
    let text = normalised(text);
    assert_eq!(text, expected, "tests/programs/{name}");
}

#[test]
fn the_bug_of_a_host_in_c_is_reported() {
    let output = run(c(), None, "");
    assert_eq!(output.status.code(), Some(0));
    assert_text(&output.stderr, "bug.c.stderr");
    assert_text(&output.stdout, "bug.c.stdout");
}

#[test]
fn the_shared_library_reports_the_same() {
    let program = build("CC", "cc", "host.c", &["-std=c11"], "libhandleguard_c.so");
    let output = run(&program, None, "");
    assert_eq!(output.status.code(), Some(0));
    assert_text(&output.stderr, "bug.c.stderr");
    assert_text(&output.stdout, "bug.c.stdout");
}

#[test]
fn a_mended_host_in_c_is_silent() {
    let output = run(c(), Some("clean"), "");
    assert_eq!(output.status.code(), Some(0));
    assert_text(&output.stderr, "clean.c.stderr");
    assert_eq!(
        normalised(&output.stdout),
        "handleguard: 0 violations, 0 sites, 0 handles left, in N.N s\n"
    );
}

#[test]
fn every_misuse_returns_a_code_and_a_message() {
    let output = run(c(), Some("misuse"), "log");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(addresses(&output.stdout), MISUSE);
    assert_eq!(
        addresses(&output.stderr),
        "handleguard: isolate <address> is not registered, so its scopes are not checked; call handleguard_isolate_register first\n"
    );
}

const MISUSE: &str = "\
init: 4, handleguard_init: directive 1 (byte 0) `tick=10`: `10` is not a time between reports; expected a number with a unit, \
`100ms` or more, as in `10s` or `2m`, or `off`
register: 1, handleguard_isolate_register: `isolate` is null
register: 1, handleguard_isolate_register: `reader->size` is 0; accepted: sizeof(handleguard_reader), which is 32 here
end: 1, handleguard_isolate_end: `isolate` is null
turn: 1, handleguard_turn_begin: `turn` is null
turn: 1, handleguard_turn_begin: `isolate` is null
callback: 2, handleguard_callback_begin: isolate <address> is not registered, so its scopes are not checked; call \
handleguard_isolate_register first
callback: 2, handleguard_callback_begin: isolate <address> is not registered, so its scopes are not checked; call \
handleguard_isolate_register first
scope: 1, handleguard_scope_begin: `place` is null
scope: 1, handleguard_scope_begin: `kind` is 7; accepted: a handleguard_scope_kind, 0 to 3
report: 1, handleguard_report_to: `write` is null
turn: 3, handleguard_turn_end: #99 of isolate <address> is not open on this thread: it has already ended, an entry \
around it has ended, or it began on another thread
";

/// No panic crosses the boundary: `panic` aborts, and the report says why.
#[test]
fn panic_aborts_where_c_is_on_the_stack() {
    let output = run(c(), None, "panic");
    assert_eq!(output.status.signal(), Some(SIGABRT));
    assert_text(&output.stderr, "panic.c.stderr");
}

#[test]
fn the_bugs_of_a_host_in_cpp_are_reported() {
    let output = run(cpp(), None, "");
    assert_eq!(output.status.code(), Some(0));
    assert_text(&output.stderr, "bug.cc.stderr");
    assert_text(&output.stdout, "bug.cc.stdout");
}
