//! The command says in one sentence why it refuses, and ends with status 2 for wrong arguments and 1 for everything else.
//!
//! `.ci/trace` has the refusals that need a program on V8.
#![cfg(target_os = "linux")]

use handleguard_test_support::child;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn handleguard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handleguard"));
    command.args(arguments);
    command
}

#[track_caller]
fn ends_with(command: &mut Command, status: i32, stderr: &str) {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child::spawn_copy(piped).expect("the command");
    let output = child.wait_with_output().expect("the command");
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(status));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// A process that is no program on V8, until the end of the test.
struct Other(Child);

impl Other {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().expect("sleep"))
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().expect("its own child");
        self.0.wait().expect("its own child");
    }
}

/// A folder, until the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("handleguard-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    /// Puts a script into it.
    fn write(&self, name: &str, script: &str) {
        let path = self.0.join(name);
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("its own folder");
    }
}

/// Whether this test runs as root. If not, the command refuses for that, and the test says that it was skipped.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

#[test]
fn a_wrong_argument_is_named() {
    for (arguments, sentence) in [
        (
            [].as_slice(),
            "needs a subcommand; accepted: trace, --help, --version",
        ),
        (
            &["frob"],
            "frob: no such subcommand; accepted: trace, --help, --version",
        ),
        (
            &["trace"],
            "trace: needs the id of one process; accepted: handleguard trace PID",
        ),
        (
            &["trace", "node"],
            "node: not the id of a process; accepted: a number, as ps shows it",
        ),
        (
            &["trace", "1", "--frob"],
            "--frob: no such option; accepted: handleguard trace PID",
        ),
    ] {
        ends_with(
            &mut handleguard(arguments),
            2,
            &format!("handleguard: {sentence}\n"),
        );
    }
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    for (arguments, start) in [
        (["--help"].as_slice(), "Finds leaks of V8 handles."),
        (&["trace", "--help"], "Attaches to a running program on V8"),
        (
            &["--version"],
            concat!("handleguard ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
    ] {
        let Output {
            status,
            stdout,
            stderr,
        } = handleguard(arguments).output().expect("the command");
        assert!(status.success());
        let stdout = String::from_utf8_lossy(&stdout);
        assert!(stdout.starts_with(start), "{stdout}");
        assert_eq!(String::from_utf8_lossy(&stderr), "");
    }
}

#[test]
fn an_id_of_no_process_is_refused() {
    let sentence = "handleguard: 4194999: there is no such process in this PID namespace; accepted: the id of a running program on V8\n";
    ends_with(&mut handleguard(&["trace", "4194999"]), 1, sentence);
}

#[test]
fn without_bpftrace_its_package_is_named() {
    if !is_root() {
        return;
    }
    let other = Other::start();
    let folder = Folder::new("no-bpftrace");
    let mut command = handleguard(&["trace", &other.id()]);
    let sentence = "handleguard: no bpftrace on the PATH: install the package `bpftrace` (Debian, Ubuntu, Fedora, Alpine), 0.17 or later\n";
    ends_with(command.env("PATH", &folder.0), 1, sentence);
}

#[test]
fn a_bpftrace_that_can_not_be_used_is_named() {
    if !is_root() {
        return;
    }
    let other = Other::start();
    // Stand-ins, because only one version can be installed.
    for (name, script, sentence) in [
        (
            "old",
            "#!/bin/sh\necho bpftrace v0.9.4\n",
            "bpftrace is too old: bpftrace v0.9.4; accepted: 0.17 or later",
        ),
        (
            "odd",
            "#!/bin/sh\nprintf 'a\\nb\\033'\n",
            r#"no version: `bpftrace --version` says "a\nb\u{1b}"; accepted: bpftrace 0.17 or later"#,
        ),
        (
            "forbidden",
            "#!/bin/sh\n[ \"$1\" != --version ] || { echo bpftrace v0.17.0; exit; }\necho 'ERROR: no RLIMIT_MEMLOCK' >&2\necho 'ERROR: not permitted' >&2\nexit 1\n",
            "bpftrace is not permitted here (ERROR: not permitted); it needs CAP_SYS_ADMIN, or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; a container gets them by `--privileged --pid=host`",
        ),
    ] {
        let folder = Folder::new(name);
        folder.write("bpftrace", script);
        let mut command = handleguard(&["trace", &other.id()]);
        ends_with(
            command.env("PATH", &folder.0),
            1,
            &format!("handleguard: {sentence}\n"),
        );
    }
}

#[test]
fn a_program_without_v8_is_refused() {
    if !is_root() {
        return;
    }
    // Permits everything, so that this test needs no bpftrace.
    let folder = Folder::new("permits");
    folder.write(
        "bpftrace",
        "#!/bin/sh\n[ \"$1\" != --version ] || { echo bpftrace v0.17.0; exit; }\necho \"permitted $$\"\n",
    );
    let sleep = fs::canonicalize("/usr/bin/sleep").expect("sleep");
    let hostile = folder.0.join("sl\neep#e#$(id)");
    fs::copy(&sleep, &hostile).expect("its own folder");
    let shown = folder.0.join(r"sl\neep#e#$(id)");
    for (binary, shown) in [(sleep.as_path(), sleep.as_path()), (&hostile, &shown)] {
        let sleep = child::spawn_copy(Command::new(binary).arg("600"));
        let other = Other(sleep.expect("sleep"));
        let sentence = format!(
            "handleguard: {}: {}: it has no V8: neither the symbols of node nor v8__HandleScope__CONSTRUCT of the v8 crate; \
             accepted: a node with V8 in its own binary (as from nodejs.org), or a program with the v8 crate; neither of them stripped\n",
            other.id(),
            shown.display(),
        );
        let mut command = handleguard(&["trace", &other.id()]);
        ends_with(command.env("PATH", &folder.0), 1, &sentence);
    }
}

#[test]
fn without_privilege_everything_that_is_missing_is_listed() {
    if !is_root() {
        return;
    }
    let other = Other::start();
    let folder = Folder::new("unprivileged");
    // Where another user can run it.
    let copy = folder.0.join("handleguard");
    fs::copy(Path::new(env!("CARGO_BIN_EXE_handleguard")), &copy).expect("its own folder");
    symlink("/nowhere", folder.0.join("bpftrace")).expect("its own folder");
    let mut command = Command::new(&copy);
    command.args(["trace", &other.id()]).env("PATH", &folder.0);
    command.uid(65534).gid(65534).current_dir("/");
    let sentences = "\
handleguard: no privilege: bpftrace runs as root only; run this with sudo
handleguard: no bpftrace on the PATH: install the package `bpftrace` (Debian, Ubuntu, Fedora, Alpine), 0.17 or later
";
    ends_with(&mut command, 1, sentences);
}
