//! `handleguard trace PID`: attaches to a running program on V8.
//!
//! [`target`] opens the process and its files, [`program`] decides from its symbols and version where to probe, [`script`]
//! fills in the program for [`bpftrace`], and [`session`] reads what that prints and prints the reports.

mod bpftrace;
mod elf;
mod frames;
mod kind;
mod layout;
pub(crate) mod maps;
mod output;
mod program;
mod run;
mod script;
pub(crate) mod session;
mod tally;
mod target;
mod version;

pub(crate) use run::run;
