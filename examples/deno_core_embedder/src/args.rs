use lexopt::prelude::*;

const ACCEPTED: &str = "accepted: --operations <number>, --leak";

pub struct Args {
    /// How many ops to call, of all sorts together.
    pub operations: u64,
    /// Whether to call the op that leaves its scope open.
    pub leak: bool,
}

pub fn parse() -> Result<Args, lexopt::Error> {
    let mut args = Args {
        operations: 100_000,
        leak: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("operations") => args.operations = parser.value()?.parse()?,
            Long("leak") => args.leak = true,
            other => return Err(format!("{}; {ACCEPTED}", other.unexpected()).into()),
        }
    }
    Ok(args)
}
