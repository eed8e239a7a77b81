//! A host that loads binary add-ons: shared objects in Rust and C++ that call back into it through a table of functions, as Node's
//! add-ons do through N-API, and that know nothing of handleguard. The host puts a guard around each call into an add-on ([`host`]),
//! so that a report names the file and symbol of the add-on at fault, and the host may go on:
//!
//! ```text
//! HANDLEGUARD=abort,addon:libbad_cpp.so=log cargo run --bin addon_host
//! ```

mod addon;
mod api;
mod args;
mod host;

use addon::Addon;
use args::{Args, Parsed};
use handleguard_v8::handleguard::{self, Action, Config};
use std::process::ExitCode;
use std::time::Duration;
use v8::PinScope;

/// The JavaScript handlers that the add-ons call.
const SCRIPT: &str = "\
let events = 0;
function onTimer(from) { events += 1; return from; }
function onClose(from) { events += 1; return from; }
";

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Parsed::Run(args)) => args,
        Ok(Parsed::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(line) => return fail(&line),
    };
    // As in production: violations are logged, and the variable overrides that.
    let config = Config::new().action(Action::Log).tick(Duration::ZERO);
    if let Err(error) = config.try_init() {
        return fail(&error.to_string());
    }
    v8::V8::initialize_platform(v8::new_default_platform(0, false).make_shared());
    v8::V8::initialize();
    let isolate = &mut v8::Isolate::new(Default::default());
    // Open as long as the host lives: it takes the handles that an add-on leaves behind.
    handleguard_v8::scope!(let scope, isolate);
    let context = v8::Context::new(scope, Default::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    match run(scope, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => fail(&line),
    }
}

fn run(scope: &mut PinScope<'_, '_>, args: &Args) -> Result<(), String> {
    let source = v8::String::new(scope, SCRIPT).ok_or("the script is too long")?;
    v8::Script::compile(scope, source, None)
        .and_then(|script| script.run(scope))
        .ok_or("the script does not run")?;
    // The scope keeps the first handle of its context, which must be made here and not in a turn or a scope of an add-on.
    scope.get_current_context();
    for path in &args.addons {
        match addon::load(path) {
            Ok(addon) => use_it(scope, &addon, args.calls)?,
            // The host goes on with the other add-ons.
            Err(line) => eprintln!("addon_host: {line}"),
        }
    }
    print!("{}", handleguard::report());
    Ok(())
}

/// Calls each handler of the add-on for that many events.
fn use_it(scope: &mut PinScope<'_, '_>, addon: &Addon, calls: u32) -> Result<(), String> {
    let handles = |scope: &PinScope<'_, '_>| handleguard_v8::handles(scope).unwrap_or_default();
    let before = (handleguard::report().violations(), handles(scope));
    for _ in 0..calls {
        handleguard_v8::turn!(scope, "event loop");
        for handler in &addon.handlers {
            host::call(scope, handler);
        }
    }
    println!(
        "{}: {} calls, {} violations, {} handles left",
        addon.file,
        u64::from(calls) * addon.handlers.len() as u64,
        handleguard::report().violations() - before.0,
        handles(scope) - before.1,
    );
    Ok(())
}

/// Prints an error of the input as one line.
fn fail(line: &str) -> ExitCode {
    eprintln!("addon_host: {line}");
    ExitCode::from(2)
}
