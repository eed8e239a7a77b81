//! bpftrace: whether it can work here, and how it is started. Never by a shell.

use crate::failure::Failure;
use handleguard::foreign_text;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long bpftrace may take for something that it does at once.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The oldest version that works.
const OLDEST: (u32, u32) = (0, 17);

/// How much of what it prints is kept, where that is little.
const MAX_OUTPUT: u64 = 64 << 10;

/// What the machine lacks for bpftrace to work, all of it.
pub fn lacks() -> Vec<String> {
    let mut lacks = Vec::new();
    if !rustix::process::geteuid().is_root() {
        lacks.push("no privilege: bpftrace runs as root only; run this with sudo".to_owned());
    }
    lacks.extend(wrong_version());
    let uprobes = [
        "/sys/bus/event_source/devices/uprobe",
        "/sys/kernel/tracing/uprobe_events",
    ];
    if !uprobes.iter().any(|path| Path::new(path).exists()) {
        lacks.push("no uprobes: this kernel needs CONFIG_UPROBE_EVENTS=y and CONFIG_BPF_SYSCALL=y, and /sys mounted".to_owned());
    }
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if lockdown.contains("[confidentiality]") {
        lacks.push("the kernel is locked down (confidentiality), so BPF may read no memory: boot with lockdown=integrity, or none".to_owned());
    }
    lacks
}

fn wrong_version() -> Option<String> {
    let package = "install the package `bpftrace` (Debian, Ubuntu, Fedora, Alpine), 0.17 or later";
    let collected = match collect(Command::new("bpftrace").arg("--version"), TIMEOUT) {
        Ok(collected) => collected,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(format!("no bpftrace on the PATH: {package}"));
        }
        Err(error) => return Some(format!("bpftrace does not start: {error}; {package}")),
    };
    let said = foreign_text(collected.stdout.trim());
    match version(&collected.stdout) {
        None => Some(format!(
            "no version: `bpftrace --version` says \"{said}\"; accepted: bpftrace 0.17 or later"
        )),
        Some(version) if version < OLDEST => Some(format!(
            "bpftrace is too old: {said}; accepted: 0.17 or later"
        )),
        Some(_) => None,
    }
}

/// The first two numbers of `bpftrace v0.17.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    text.match_indices('v').find_map(|(at, _)| {
        let mut numbers = text[at + 1..].split(|character: char| !character.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

/// Tries whether bpftrace is permitted to work. Only that shows what root lacks in a container.
///
/// # Errors
///
/// Says what bpftrace says, and what it needs.
pub fn try_out() -> Result<(), Failure> {
    let needs = "it needs CAP_SYS_ADMIN, or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; a container gets them by `--privileged --pid=host`";
    let mut command = text_command("BEGIN { printf(\"permitted %d\\n\", pid); exit(); }");
    let mut child = spawn(&mut command)?;
    let id = child.id();
    let collected = wait(&mut child, TIMEOUT).map_err(|error| cannot_start(&error))?;
    let mut permitted = collected
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("permitted "));
    match permitted.next() {
        Some(seen) if seen == id.to_string() => Ok(()),
        Some(_) => Err(Failure::fault(
            "this runs in a PID namespace of its own, where the kernel's ids of processes differ; run it in that of the host, in a container by `--pid=host`",
        )),
        None => Err(Failure::fault(format!(
            "bpftrace is not permitted here ({}); {needs}",
            collected.complaint()
        ))),
    }
}

/// bpftrace with a program of this crate, printing text.
fn text_command(program: &str) -> Command {
    let mut command = Command::new("bpftrace");
    command.args(["-e", program]);
    command
}

/// bpftrace with a program of this crate, printing a JSON text on each line: a name in it can't end the line.
pub fn json_command(program: &str) -> Command {
    let mut command = Command::new("bpftrace");
    command.args(["-f", "json", "-B", "line", "-e", program]);
    // Only one process is traced, so its symbols are read once.
    command.env("BPFTRACE_CACHE_USER_SYMBOLS", "1");
    command
}

/// What a program printed.
pub struct Collected {
    /// The start of its standard output.
    pub stdout: String,
    stderr: String,
    /// How it ended. `None`: it took too long.
    pub status: Option<ExitStatus>,
}

impl Collected {
    /// The line on stderr that says what went wrong, for a line of text.
    pub fn complaint(&self) -> String {
        match self.status {
            None => "it did not end in time".to_owned(),
            Some(_) => complaint(&self.stderr),
        }
    }
}

/// The first line that bpftrace prints about an error, for a line of text.
pub fn complaint(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| {
        // bpftrace says so whenever the limit stands, and goes on.
        !line.is_empty() && !line.contains("RLIMIT_MEMLOCK")
    });
    foreign_text(lines.next().unwrap_or("it says nothing"))
}

/// Runs a program of this crate to its end. It is stopped after `limit`.
///
/// # Errors
///
/// Says that bpftrace can't be started.
pub fn run(program: &str, limit: Duration) -> Result<Collected, Failure> {
    collect(&mut text_command(program), limit).map_err(|error| cannot_start(&error))
}

/// Starts bpftrace with its output piped.
///
/// # Errors
///
/// Says that bpftrace can't be started.
pub fn spawn(command: &mut Command) -> Result<Child, Failure> {
    pipe(command).spawn().map_err(|error| cannot_start(&error))
}

fn cannot_start(error: &io::Error) -> Failure {
    Failure::fault(format!("bpftrace cannot be started: {error}"))
}

fn collect(command: &mut Command, limit: Duration) -> io::Result<Collected> {
    wait(&mut pipe(command).spawn()?, limit)
}

fn pipe(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Collected> {
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Ok(Collected {
        stdout: text(stdout),
        stderr: text(stderr),
        status,
    })
}

/// Reads a pipe to its end on a thread of its own, and keeps the start.
pub fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            // What can't be read is not there.
            let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        kept
    })
}

/// What [`read`] has read, as text.
pub fn text(reader: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_bpftrace_prints() {
        for (text, numbers) in [
            ("bpftrace v0.17.0\n", Some((0, 17))),
            ("bpftrace v0.9.4", Some((0, 9))),
            ("bpftrace version v1.2-rc1", Some((1, 2))),
            ("bpftrace v0.20.1-3-gabc", Some((0, 20))),
            ("bpftrace", None),
            ("v", None),
            ("v1", None),
            ("v99999999999.1", None),
        ] {
            assert_eq!(version(text), numbers, "{text}");
        }
        assert!((0, 9) < OLDEST && OLDEST < (1, 0));
    }

    #[test]
    fn a_complaint_is_one_escaped_line() {
        let stderr =
            "ERROR: couldn't set RLIMIT_MEMLOCK for bpftrace\n\nERROR: \u{1b}[31mfailed\nmore\n";
        assert_eq!(complaint(stderr), r"ERROR: \u{1b}[31mfailed");
        assert_eq!(complaint(""), "it says nothing");
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let collected = collect(Command::new("sleep").arg("600"), Duration::from_millis(50));
        let collected = collected.expect("sleep");
        assert!(collected.status.is_none());
        assert_eq!(collected.complaint(), "it did not end in time");
    }
}
