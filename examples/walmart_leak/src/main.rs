//! A small Node that leaks as one did in 2013, with handleguard, which names the leak.
//!
//! In 2013, a shop's front end on node 0.10 lost four bytes with each closed descriptor: `HandleWrap::OnClose` called into JavaScript
//! without a HandleScope of its own, so every handle stayed in the scope that `main` had opened. V8's heap stayed flat, because all
//! handles were to `undefined`, and it took the core team three weeks to find the bug. Here the same host, on today's V8, runs with
//! that bug and with its fix ([`close`]); handleguard names the bug at the first closed connection.

mod args;
mod close;
mod connection;
mod event_loop;
mod http;
mod memory;
mod output;
mod phase;
mod script;
mod tally;
mod verdict;

use args::{Args, Parsed};
use event_loop::EventLoop;
use handleguard_v8::handleguard::{self, Action, Config};
use mio::net::TcpListener;
use output::Output;
use script::{Handlers, Script};
use std::process::ExitCode;
use std::time::Duration;
use v8::PinScope;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Parsed::Run(args)) => args,
        Ok(Parsed::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(line) => return fail(&line),
    };
    let mut output = Output::new(args.json);
    let (script, listener) = match prepare(&args) {
        Ok(prepared) => prepared,
        Err(line) => return fail(&line),
    };

    v8::V8::initialize_platform(v8::new_default_platform(0, false).make_shared());
    v8::V8::initialize();
    let isolate = &mut v8::Isolate::new(Default::default());
    // Open as long as the process lives, as in node's `main`: every leaked handle goes to it.
    handleguard_v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    match node(scope, &script, listener, &args, &mut output) {
        Ok(status) => status,
        Err(line) => fail(&line),
    }
}

/// Everything that can fail before V8 starts.
fn prepare(args: &Args) -> Result<(Script, TcpListener), String> {
    start_checks(args)?;
    Ok((
        Script::read(args.script.as_deref())?,
        event_loop::listen(args.port)?,
    ))
}

/// Starts handleguard as in production, where it logs. This host prints its own periodic reports. The variable overrides both.
fn start_checks(args: &Args) -> Result<(), String> {
    if handleguard::COMPILED_IN {
        Config::new()
            .action(Action::Log)
            .tick(Duration::ZERO)
            .try_init()
            .map_err(|error| error.to_string())?;
        if args.check && !handleguard::is_on() {
            return Err(
                "--check: every rule is off; accepted: HANDLEGUARD with another action".to_owned(),
            );
        }
        return Ok(());
    }
    if args.check {
        return Err(
            "--check: the checks are compiled out of this build; accepted: a build with the feature `enabled`"
                .to_owned(),
        );
    }
    let variable = handleguard::VARIABLE;
    if std::env::var_os(variable).is_some() {
        eprintln!(
            "walmart_leak: {variable} has no effect: the checks are compiled out of this build"
        );
    }
    Ok(())
}

fn node(
    scope: &mut PinScope<'_, '_>,
    script: &Script,
    listener: TcpListener,
    args: &Args,
    output: &mut Output,
) -> Result<ExitCode, String> {
    let handlers = Handlers::load(scope, script)?;
    let mut event_loop = EventLoop::new(listener, handlers)
        .map_err(|error| format!("the event loop cannot start: {error}"))?;
    output.start(event_loop.address())?;
    if !handleguard::COMPILED_IN {
        output.compiled_out()?;
    }

    let mut outcomes = Vec::new();
    for &phase in args.phases {
        outcomes.push(phase::run_phase(
            scope,
            &mut event_loop,
            phase,
            args.length,
            output,
        )?);
    }
    output.verdict(&outcomes)?;

    let violated = outcomes.iter().any(|outcome| outcome.violations > 0);
    Ok(ExitCode::from(u8::from(args.check && violated)))
}

/// Prints an error of the input or of the system as one line.
fn fail(line: &str) -> ExitCode {
    eprintln!("walmart_leak: {line}");
    ExitCode::from(2)
}
