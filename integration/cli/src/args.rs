//! The command line.

use crate::failure::Failure;
use handleguard::foreign_text;
use lexopt::Arg;
use std::ffi::{OsStr, OsString};

const HELP: &str = "\
Finds leaks of V8 handles.

Usage: handleguard SUBCOMMAND

  trace PID        attach to a running program on V8 and print which callbacks leak handles; see `handleguard trace --help`
  -h, --help       print this
  -V, --version    print the version
";

const TRACE_HELP: &str = "\
Attaches to a running program on V8 that was never built with handleguard, and prints every 10 s which callbacks leak handles
and which scopes stay open. Ends by Ctrl-C, and with the program.

Usage: handleguard trace PID

  PID              the id of the process, as ps shows it
  -h, --help       print this

Needs root, x86-64 Linux and bpftrace 0.17 or later. Traces a node 18, 20, 22 or 24 with V8 in its own binary, as from nodejs.org,
and programs with the v8 crate 150.4; neither of them stripped. Each scope and each callback costs the program some microseconds
while it is traced.

Exit status: 0 after Ctrl-C and after the end of the program, 1 if it can't be traced, 2 for wrong arguments.
";

const SUBCOMMANDS: &str = "trace";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print this text.
    Print(String),
    /// Trace the process with this id.
    Trace(ProcessId),
}

/// The id of a process as the user wrote it: digits, and perhaps more of them than any process has.
#[derive(Debug, PartialEq)]
pub struct ProcessId(pub String);

/// Parses the arguments, without the name of the program.
///
/// # Errors
///
/// Names the input, what is wrong with it, and what is accepted.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let accepted = format!("{SUBCOMMANDS}, --help, --version");
    match next(&mut parser, &accepted)? {
        Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Print(HELP.to_owned())),
        Some(Arg::Long("version") | Arg::Short('V')) => Ok(Command::Print(format!(
            "handleguard {}\n",
            env!("CARGO_PKG_VERSION")
        ))),
        Some(Arg::Value(word)) if word == "trace" => trace(&mut parser),
        Some(Arg::Value(word)) => Err(Failure::usage(format!(
            "{}: no such subcommand; accepted: {accepted}",
            shown(&word)
        ))),
        Some(option) => Err(no_such_option(option, &accepted)),
        None => Err(Failure::usage(format!(
            "needs a subcommand; accepted: {accepted}"
        ))),
    }
}

fn trace(parser: &mut lexopt::Parser) -> Result<Command, Failure> {
    let accepted = "handleguard trace PID";
    let mut id = None;
    while let Some(argument) = next(parser, accepted)? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                return Ok(Command::Print(TRACE_HELP.to_owned()));
            }
            Arg::Value(word) if id.is_none() => id = Some(process_id(&word)?),
            Arg::Value(word) => {
                return Err(Failure::usage(format!(
                    "{}: one process is traced at a time; accepted: {accepted}",
                    shown(&word)
                )));
            }
            option => return Err(no_such_option(option, accepted)),
        }
    }
    id.map(Command::Trace).ok_or_else(|| {
        Failure::usage(format!(
            "trace: needs the id of one process; accepted: {accepted}"
        ))
    })
}

fn process_id(word: &OsStr) -> Result<ProcessId, Failure> {
    match word.to_str() {
        Some(digits)
            if !digits.is_empty()
                && !digits.starts_with('0')
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(ProcessId(digits.to_owned()))
        }
        _ => Err(Failure::usage(format!(
            "{}: not the id of a process; accepted: a number, as ps shows it",
            shown(word)
        ))),
    }
}

fn next<'parser>(
    parser: &'parser mut lexopt::Parser,
    accepted: &str,
) -> Result<Option<Arg<'parser>>, Failure> {
    parser.next().map_err(|error| {
        let error = foreign_text(&error.to_string());
        Failure::usage(format!("{error}; accepted: {accepted}"))
    })
}

fn no_such_option(option: Arg, accepted: &str) -> Failure {
    let option = match option {
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Long(name) => format!("--{name}"),
        Arg::Value(word) => word.to_string_lossy().into_owned(),
    };
    Failure::usage(format!(
        "{}: no such option; accepted: {accepted}",
        foreign_text(&option)
    ))
}

fn shown(word: &OsStr) -> String {
    foreign_text(&word.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, Failure> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn each_subcommand_is_parsed() {
        let trace = Command::Trace(ProcessId("4711".to_owned()));
        assert_eq!(parsed(&["trace", "4711"]), Ok(trace));
        for (arguments, text) in [
            (["--help"].as_slice(), HELP),
            (&["-h"], HELP),
            (&["trace", "--help"], TRACE_HELP),
            (&["trace", "1", "-h"], TRACE_HELP),
            (
                &["-V"],
                concat!("handleguard ", env!("CARGO_PKG_VERSION"), "\n"),
            ),
        ] {
            assert_eq!(parsed(arguments), Ok(Command::Print(text.to_owned())));
        }
    }

    #[test]
    fn a_wrong_argument_is_named_with_what_is_accepted() {
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
                &["a\nb"],
                r"a\nb: no such subcommand; accepted: trace, --help, --version",
            ),
            (
                &["--frob"],
                "--frob: no such option; accepted: trace, --help, --version",
            ),
            (
                &["trace"],
                "trace: needs the id of one process; accepted: handleguard trace PID",
            ),
            (
                &["trace", "-x"],
                "-x: no such option; accepted: handleguard trace PID",
            ),
            (
                &["trace", "1", "2"],
                "2: one process is traced at a time; accepted: handleguard trace PID",
            ),
            (
                &["trace", "node"],
                "node: not the id of a process; accepted: a number, as ps shows it",
            ),
            (
                &["trace", "0"],
                "0: not the id of a process; accepted: a number, as ps shows it",
            ),
            (
                &["trace", "+1"],
                "+1: not the id of a process; accepted: a number, as ps shows it",
            ),
            (
                &["trace", ""],
                ": not the id of a process; accepted: a number, as ps shows it",
            ),
        ] {
            assert_eq!(
                parsed(arguments),
                Err(Failure::usage(sentence)),
                "{arguments:?}"
            );
        }
    }
}
