//! Tests that need a process of their own: a test runs itself again as a child, and looks at how the child ended.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Set in a child: see [`is_child`].
pub const VARIABLE: &str = "HANDLEGUARD_TEST_CHILD";

/// SIGABRT, which ends a process that aborts.
pub const SIGABRT: i32 = 6;

/// How long a child may take. Longer than any does on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Whether this process was started by [`command`].
pub fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// A command that runs the test `test` of this binary again, with `directives` as `HANDLEGUARD`. Its output is piped.
///
/// # Panics
///
/// Panics if the path of this binary is unknown.
pub fn command(test: &str, directives: &(impl AsRef<OsStr> + ?Sized)) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this binary"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, "1")
        .env("HANDLEGUARD", directives)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts `command` and waits for its end: see [`wait`].
///
/// # Panics
///
/// Panics if it does not start, and as [`wait`] does.
pub fn run(command: &mut Command) -> Output {
    wait(command.spawn().expect("a child process"))
}

/// Starts a program that the test has just copied. Where another test forks a child of its own while the copy is written, that child
/// has it open for writing until it runs a program itself, and the system refuses to run the copy (`ETXTBSY`).
///
/// # Errors
///
/// As [`Command::spawn`], or if the copy is busy for five minutes.
pub fn spawn_copy(command: &mut Command) -> std::io::Result<Child> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == ErrorKind::ExecutableFileBusy && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// Waits for the end of a child that [`command`] describes. Output that the test has taken itself is left out.
///
/// # Panics
///
/// Panics if the child does not end within five minutes, or if it ran another number of tests than one: a test that names
/// itself wrongly would otherwise pass without a child.
pub fn wait(mut child: Child) -> Output {
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let deadline = Instant::now() + TIMEOUT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child process") {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("a child process");
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("a reader"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let Some(status) = status else {
        panic!(
            "the child hangs\n--- stdout\n{}\n--- stderr\n{}",
            text(&stdout),
            text(&stderr)
        );
    };
    assert!(
        text(&stdout).contains("running 1 test"),
        "the child ran another test, or none\n{}",
        text(&stdout)
    );
    Output {
        status,
        stdout,
        stderr,
    }
}

/// Reads a pipe on a thread of its own, so that the child never waits for a full one.
fn read(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut bytes).expect("a pipe");
        }
        bytes
    })
}

/// The whole output of a child, to be shown where a test fails.
pub fn shown(output: &Output) -> String {
    format!(
        "--- {}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_runs_the_test_that_is_named() {
        if is_child() {
            println!("in the child");
            return;
        }
        let output = run(&mut command(
            "child::tests::a_child_runs_the_test_that_is_named",
            "off",
        ));
        assert!(output.status.success());
        assert!(shown(&output).contains("in the child\n"));
    }

    #[test]
    #[should_panic(expected = "the child ran another test, or none")]
    fn a_name_that_no_test_has_is_refused() {
        run(&mut command("child::tests::none", "off"));
    }
}
