//! The command `handleguard`: see the crate `handleguard_cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    handleguard_cli::run(std::env::args_os().skip(1))
}
