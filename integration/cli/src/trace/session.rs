//! A trace from its start to its end: bpftrace runs, and its maps become reports.

use crate::failure::Failure;
use crate::trace::bpftrace;
use crate::trace::output::{self, Line};
use crate::trace::tally::Tally;
use crate::trace::target::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

/// How long a line of bpftrace may be. A map has 4,096 keys, which are a few hundred bytes each, unless the names in it are
/// made up.
const MAX_LINE: u64 = 64 << 20;

/// How long bpftrace may take for its last report, in which it reads the symbols of the target.
const LAST_REPORT: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// Why a trace ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    /// A signal asked for it.
    Signal,
    /// The target has ended.
    Target,
    /// bpftrace has ended by itself.
    Bpftrace,
}

/// Runs `program` until a signal arrives or the target ends, and writes the reports to `out`.
///
/// # Errors
///
/// Says why bpftrace could not attach, or that the target ended before.
pub fn run(process: &Process, program: &str, out: &mut impl Write) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::fault(format!("the trace cannot be started: {error}"));
    let (signals, sender) = UnixStream::pair().map_err(cannot)?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let sender = sender.try_clone().map_err(cannot)?;
        signal_hook::low_level::pipe::register(signal, sender).map_err(cannot)?;
    }
    let (done, done_sender) = UnixStream::pair().map_err(cannot)?;
    // In a group of its own: Ctrl-C reaches this process alone, which then ends bpftrace.
    let mut child = bpftrace::spawn(bpftrace::json_command(program).process_group(0))?;
    let id = Pid::from_child(&child);
    let stdout = io::BufReader::new(child.stdout.take().expect("piped by `spawn`"));
    let stderr = bpftrace::read(child.stderr.take());
    let (stop, attached) = std::thread::scope(|threads| {
        let watch = threads.spawn(move || watch(process.descriptor(), signals, done.as_fd(), id));
        let attached = render(stdout, out);
        if attached.is_err() {
            // Nobody reads the reports any more.
            interrupt(id);
        }
        drop(done_sender);
        (watch.join().unwrap_or(Stop::Bpftrace), attached)
    });
    let status = child.wait().map_err(cannot)?;
    let stderr = bpftrace::text(stderr);
    let id = process.id();
    let complaint = || bpftrace::complaint(&stderr);
    match (stop, attached) {
        // A reader that closes the pipe has seen enough.
        (_, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (_, Err(error)) => Err(Failure::fault(format!(
            "the reports cannot be written: {error}"
        ))),
        (Stop::Signal, Ok(_)) | (Stop::Target, Ok(true)) => Ok(()),
        (Stop::Target, Ok(false)) => Err(process.ended()),
        (Stop::Bpftrace, Ok(true)) if status.success() => Ok(()),
        (Stop::Bpftrace, Ok(true)) => Err(Failure::fault(format!(
            "{id}: bpftrace ended: {}",
            complaint()
        ))),
        (Stop::Bpftrace, Ok(false)) => Err(process.unless_ended(Failure::fault(format!(
            "{id}: bpftrace cannot attach: {}",
            complaint()
        )))),
    }
}

/// Waits for a signal, the end of the target, or the end of `done`, which means that bpftrace has ended. Ends bpftrace after either
/// of the first two: by SIGINT, the one signal at which it prints what it still has.
fn watch(
    target: BorrowedFd<'_>,
    mut signals: UnixStream,
    done: BorrowedFd<'_>,
    bpftrace: Pid,
) -> Stop {
    let stop = loop {
        let mut descriptors = [
            PollFd::from_borrowed_fd(done, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
            PollFd::from_borrowed_fd(target, PollFlags::IN),
        ];
        match poll(&mut descriptors, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return Stop::Bpftrace,
        }
        let [done, signal, target] = descriptors.map(|descriptor| !descriptor.revents().is_empty());
        match (done, signal, target) {
            (true, _, _) => return Stop::Bpftrace,
            (_, true, _) => break Stop::Signal,
            (_, _, true) => break Stop::Target,
            _ => {}
        }
    };
    if stop == Stop::Signal {
        // Takes the signals that have arrived; the next one is another.
        let _ = signals.read(&mut [0; 64]);
    }
    interrupt(bpftrace);
    let ended = loop {
        let mut descriptors = [
            PollFd::from_borrowed_fd(done, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        match poll(&mut descriptors, Some(&LAST_REPORT)) {
            Err(Errno::INTR) => {}
            _ => break !descriptors[0].revents().is_empty(),
        }
    };
    if !ended {
        // It takes too long, or the user asks again.
        let _ = kill_process(bpftrace, Signal::KILL);
    }
    stop
}

/// Has bpftrace print what it still has, and end. It may have ended already.
fn interrupt(bpftrace: Pid) {
    let _ = kill_process(bpftrace, Signal::INT);
}

/// Reads what bpftrace prints, to its end, and writes the reports to `out`. Returns whether the probes were attached.
///
/// # Errors
///
/// Returns that of writing.
pub fn render(mut input: impl BufRead, out: &mut impl Write) -> io::Result<bool> {
    let mut attached = false;
    let mut tally = Tally::default();
    let mut ending = None;
    let mut line = Vec::new();
    while let Some(whole) = next_line(&mut input, &mut line, MAX_LINE) {
        if !whole {
            writeln!(
                out,
                "(left out: a map of bpftrace that is larger than {} MiB)",
                MAX_LINE >> 20
            )?;
            continue;
        }
        match output::parse(&line) {
            Some(Line::Attached(clock)) => {
                attached = true;
                writeln!(out, "{clock} attached")?;
            }
            Some(Line::Printed(clock)) => {
                tally.print(&clock, out)?;
                tally = Tally::default();
            }
            Some(Line::Ending(clock)) => ending = Some(clock),
            Some(Line::Map(map, entries)) => {
                for entry in &entries {
                    tally.add(map, entry);
                }
            }
            None => {}
        }
    }
    // What has arrived since the last report.
    if let Some(clock) = ending.filter(|_| !tally.is_empty()) {
        tally.print(&clock, out)?;
    }
    Ok(attached)
}

/// Reads the next line into `line`, without its end. Returns `None` at the end of the input or where it can't be read, and
/// whether the line is whole: the rest of one longer than `limit` is skipped.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, limit: u64) -> Option<bool> {
    line.clear();
    let read = input.take(limit).read_until(b'\n', line).ok()?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Some(true);
    }
    if (read as u64) < limit {
        return (read > 0).then_some(true);
    }
    line.clear();
    input.skip_until(b'\n').ok()?;
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = include_str!("tests/printed.txt");
    const MAPS: &str = include_str!("tests/maps.txt");

    #[test]
    fn maps_become_reports() {
        let mut printed = Vec::new();
        let attached = render(MAPS.as_bytes(), &mut printed).expect("memory takes everything");
        assert!(attached);
        assert_eq!(String::from_utf8_lossy(&printed), PRINTED);
    }

    #[test]
    fn without_an_attached_line_nothing_was_attached() {
        let mut printed = Vec::new();
        assert!(!render(b"{}\n".as_slice(), &mut printed).expect("memory takes everything"));
        assert_eq!(printed, b"");
    }

    #[test]
    fn a_long_line_is_skipped() {
        let mut input = b"12345\n1234\n123456789\nx".as_slice();
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while let Some(whole) = next_line(&mut input, &mut line, 5) {
            lines.push((whole, String::from_utf8_lossy(&line).into_owned()));
        }
        let expected = [(false, ""), (true, "1234"), (false, ""), (true, "x")]
            .map(|(whole, line)| (whole, line.to_owned()));
        assert_eq!(lines, expected);
    }
}
