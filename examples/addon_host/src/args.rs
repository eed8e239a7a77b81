use std::path::PathBuf;

pub const HELP: &str = "\
usage: addon_host [--calls <number>] [<add-on>...]

  --calls <number>   events that each handler of each add-on handles; 100 by default
  <add-on>           a shared object; by default those that are built with this program: two good ones, two bad ones, and
                     three that cannot be used

HANDLEGUARD=help lists the directives; HANDLEGUARD=addon:<file>=<action> is about one add-on.
";

/// The add-ons that `build.rs` builds, and one that it does not.
const BUILT: [&str; 7] = [
    "libgood_rust.so",
    "libgood_cpp.so",
    "libmissing.so",
    "libother_machine.so",
    "libno_symbol.so",
    "libbad_rust.so",
    "libbad_cpp.so",
];

pub struct Args {
    pub calls: u32,
    pub addons: Vec<PathBuf>,
}

pub enum Parsed {
    Run(Args),
    Help,
}

/// Parses the command line. An error names the argument, what is wrong with it, and what is accepted.
pub fn parse() -> Result<Parsed, String> {
    use lexopt::prelude::*;
    let mut args = Args {
        calls: 100,
        addons: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    let describe = |error: lexopt::Error| format!("{error}; accepted: see --help");
    while let Some(argument) = parser.next().map_err(describe)? {
        match argument {
            Long("calls") => {
                let value = parser.value().map_err(describe)?;
                args.calls = value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| {
                    format!(
                        "--calls {}: no number of calls; accepted: a whole number, as in --calls 1000",
                        value.display()
                    )
                })?;
            }
            Long("help") | Short('h') => return Ok(Parsed::Help),
            Value(path) => args.addons.push(path.into()),
            other => return Err(describe(other.unexpected())),
        }
    }
    if args.addons.is_empty() {
        let folder = PathBuf::from(env!("ADDONS"));
        args.addons = BUILT.map(|file| folder.join(file)).to_vec();
    }
    Ok(Parsed::Run(args))
}
