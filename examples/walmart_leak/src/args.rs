use crate::phase::{Length, Phase};
use crate::script;
use lexopt::Arg;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub const HELP: &str = "\
A small Node: an HTTP server and its client in one event loop, with JavaScript handlers. Its close callback leaks
handles as that of node 0.10.21 did, then not, as in 0.10.22; handleguard reports the first and not the second.

Usage: walmart_leak [options]

  --phase bug|fixed|both   what to run; default: both
  --seconds N              how long a phase runs, 1 to 86400; default: 4, and on to 10,000 closed connections
  --script FILE            JavaScript handlers instead of the built-in ones
  --port N                 port of 127.0.0.1 to listen on; default: 0, any free one
  --json                   print JSON lines
  --check                  exit with status 1 if a violation was seen
  --help                   print this

HANDLEGUARD changes what is checked and what is done about it, as in HANDLEGUARD=abort; HANDLEGUARD=help lists it.
";

const OPTIONS: &str = "--phase, --seconds, --script, --port, --json, --check, --help";

pub struct Args {
    pub phases: &'static [Phase],
    pub length: Length,
    pub script: Option<PathBuf>,
    pub port: u16,
    pub json: bool,
    pub check: bool,
}

pub enum Parsed {
    Run(Args),
    Help,
}

/// Parses the command line. An error names the input, what is wrong with it, and what is accepted.
pub fn parse() -> Result<Parsed, String> {
    let mut args = Args {
        phases: &[Phase::Bug, Phase::Fixed],
        length: Length {
            time: Duration::from_secs(4),
            connections: 10_000,
        },
        script: None,
        port: 0,
        json: false,
        check: false,
    };
    let mut parser = lexopt::Parser::from_env();
    let unknown = |error: lexopt::Error| format!("{error}; accepted: {OPTIONS}");
    while let Some(arg) = parser.next().map_err(unknown)? {
        match arg {
            Arg::Long("phase") => {
                let accepted = "bug, fixed or both";
                let value = value(&mut parser, "--phase", accepted)?;
                args.phases = match value.to_str() {
                    Some("bug") => &[Phase::Bug],
                    Some("fixed") => &[Phase::Fixed],
                    Some("both") => &[Phase::Bug, Phase::Fixed],
                    _ => return Err(wrong("--phase", &value, "no such phase", accepted)),
                };
            }
            Arg::Long("seconds") => {
                let accepted = "a whole number from 1 to 86400";
                let seconds = number(&mut parser, "--seconds", accepted, 1..=86_400)?;
                args.length = Length {
                    time: Duration::from_secs(seconds),
                    connections: 0,
                };
            }
            Arg::Long("script") => {
                args.script = Some(value(&mut parser, "--script", script::ACCEPTED)?.into());
            }
            Arg::Long("port") => {
                let accepted = "a whole number from 0 to 65535";
                args.port = number(&mut parser, "--port", accepted, 0..=u16::MAX)?;
            }
            Arg::Long("json") => args.json = true,
            Arg::Long("check") => args.check = true,
            Arg::Long("help") => return Ok(Parsed::Help),
            _ => return Err(unknown(arg.unexpected())),
        }
    }
    Ok(Parsed::Run(args))
}

fn value(parser: &mut lexopt::Parser, option: &str, accepted: &str) -> Result<OsString, String> {
    parser
        .value()
        .map_err(|_| format!("{option}: needs a value; accepted: {accepted}"))
}

fn number<T: std::str::FromStr + PartialOrd>(
    parser: &mut lexopt::Parser,
    option: &str,
    accepted: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, String> {
    let value = value(parser, option, accepted)?;
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| wrong(option, &value, "no such number", accepted))
}

fn wrong(option: &str, value: &OsString, what: &str, accepted: &str) -> String {
    format!("{option} {}: {what}; accepted: {accepted}", value.display())
}
