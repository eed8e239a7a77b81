//! The command `handleguard`. It is a program, and this library is only how its parts reach its tests and fuzz targets.
//!
//! ```text
//! handleguard trace PID
//! ```
//!
//! attaches to a running program on V8 that was never built with handleguard, and prints every 10 s which callbacks leak
//! handles and which scopes stay open. The package's README describes it.
//!
//! # What it trusts
//!
//! `handleguard trace` runs as root and looks at a process of somebody else, so every text from that process is data: the
//! paths in its memory map, the symbols and versions in its binary, the names that bpftrace prints. None of them becomes part
//! of a program, of a path or of a command. The program for bpftrace is a constant, filled in with numbers and with symbols
//! that are constants of this crate; a type allows nothing else there. bpftrace reaches the target's files through descriptors
//! that this process holds open, as `/proc/<own id>/fd/<number>`. A name that is printed is escaped first.

#![forbid(unsafe_code)]

mod args;
mod failure;
#[cfg_attr(not(target_os = "linux"), path = "trace/unsupported.rs")]
mod trace;

use args::Command;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command with these arguments, without the name of the program. Returns its exit status: 0, 1 after a failure, and 2
/// after arguments that it does not accept. A failure is printed to stderr, one sentence a line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = args::parse(arguments).and_then(|command| match command {
        Command::Print(text) => {
            // Whoever closes the pipe has read enough.
            let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
            Ok(())
        }
        Command::Trace(id) => trace::run(&id),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.status()
        }
    }
}

/// Entries for the fuzz targets. Not part of the interface.
#[doc(hidden)]
#[cfg(target_os = "linux")]
pub mod fuzz {
    /// Parses the memory map of a process.
    pub fn maps(text: &[u8]) {
        crate::trace::maps::parse(text);
    }

    /// Reads what bpftrace prints, and renders each report.
    pub fn trace_output(text: &[u8]) {
        crate::trace::session::render(text, &mut std::io::sink()).expect("a sink takes everything");
    }
}
