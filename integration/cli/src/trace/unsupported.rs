//! Stands for `trace` where it can't work: bpftrace is a tool of Linux.

use crate::args::ProcessId;
use crate::failure::Failure;

/// Refuses.
pub(crate) fn run(_: &ProcessId) -> Result<(), Failure> {
    Err(Failure::fault(
        "trace: needs Linux, for it works by bpftrace",
    ))
}
