//! The subcommand, step by step.

use crate::args::ProcessId;
use crate::failure::Failure;
use crate::trace::program::Program;
use crate::trace::target::{Process, Target};
use crate::trace::{bpftrace, script, session};
use std::io::{self, Write};
use std::time::Duration;

/// How long it may take to confirm the layout. The script itself gives up after 2 s.
const CONFIRM: Duration = Duration::from_secs(60);

/// Traces a process until a signal arrives or the process ends.
///
/// # Errors
///
/// Says why it can't be traced: all that the machine lacks, or the first thing that is wrong with the process.
pub fn run(id: &ProcessId) -> Result<(), Failure> {
    let process = Process::open(id)?;
    let lacks = bpftrace::lacks();
    if !lacks.is_empty() {
        return Err(Failure::faults(lacks));
    }
    bpftrace::try_out()?;
    let target = Target::open(&process)?;
    let program = Program::of(&target).map_err(|failure| process.unless_ended(failure))?;
    confirm(&target, &program)?;
    let out = &mut io::stdout();
    let (id, name, what) = (process.id(), target.name(), program.what());
    // A pipe that is closed already shows at the first report too.
    let _ = writeln!(
        out,
        "handleguard: attaching to {id}: {name}, {what}; prints every 10 s"
    );
    session::run(&process, &script::trace(id, target.code(), &program), out)
}

/// Confirms the layout on the live process.
fn confirm(target: &Target<'_>, program: &Program) -> Result<(), Failure> {
    let process = target.process;
    let id = process.id();
    let collected = bpftrace::run(&script::confirm(id, program), CONFIRM)?;
    if process.has_ended() {
        return Err(process.ended());
    }
    match collected
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("layout: "))
    {
        Some("confirmed") => Ok(()),
        Some("unseen") => {
            eprintln!(
                "handleguard: no scope was opened within 2 s, so the layout is known and not confirmed"
            );
            Ok(())
        }
        Some(_) => Err(Failure::fault(format!(
            "{id}: {}: the layout of {} is another one here: `next` is not at byte {} of the isolate",
            target.name(),
            program.what(),
            program.layout.next
        ))),
        None => Err(Failure::fault(format!(
            "{id}: bpftrace cannot attach: {}",
            collected.complaint()
        ))),
    }
}
