//! Links the hooks of `handleguard-v8` (its feature `interpose`) into a program. handleguard then sees every handle scope that any
//! crate of the program opens, and every call into JavaScript, with no change to the source.
//!
//! ```toml
//! [dependencies]
//! handleguard-v8 = { version = "0.1", features = ["interpose"] }
//! [build-dependencies]
//! handleguard-build = "0.1"
//! ```
//! ```no_run
//! // build.rs
//! # #[expect(clippy::needless_doctest_main)]
//! fn main() {
//!     handleguard_build::link_hooks();
//! }
//! ```
//! ```text
//! // main.rs: a crate that nothing names is not linked
//! use handleguard_v8 as _;
//! ```
//!
//! Call it in the program's own build script: cargo silently drops the link arguments of a dependency's build script
//! (cargo#9554). For a program without a build script, the command `handleguard-build` prints the same arguments as `rustflags` for
//! `.cargo/config.toml`. Either way the checker proves each hook when the program starts, and names those that do not work.
//!
//! # How
//!
//! The linker's option `--wrap=symbol` redirects each call of the symbol to `__wrap_symbol`, which `handleguard-v8` defines and
//! which calls `__real_symbol`. rust-lld, lld, GNU ld and mold have the option; the linkers of macOS and Windows do not.

/// The wrapped symbols: the functions of the v8 crate that open and close scopes, call into JavaScript, let V8 run its tasks,
/// create, enter, exit and dispose of isolates, enter and leave contexts, allow and forbid JavaScript, and make and reset persistent
/// handles; and the function of V8 itself that extends the handle blocks.
pub const WRAPPED: [&str; 29] = [
    "v8__HandleScope__CONSTRUCT",
    "v8__HandleScope__DESTRUCT",
    "v8__TryCatch__CONSTRUCT",
    "v8__TryCatch__DESTRUCT",
    "v8__Function__Call",
    "v8__Function__NewInstance",
    "v8__Script__Run",
    "v8__Module__Evaluate",
    "v8__Module__EvaluateForImportDefer",
    "v8__Isolate__PerformMicrotaskCheckpoint",
    "v8__MicrotaskQueue__PerformCheckpoint",
    "v8__Platform__PumpMessageLoop",
    "v8__Platform__RunIdleTasks",
    "v8__Task__Run",
    "v8__IdleTask__Run",
    "v8__Isolate__New",
    "v8__Isolate__Enter",
    "v8__Isolate__Exit",
    "v8__Isolate__Dispose",
    "v8__SnapshotCreator__DESTRUCT",
    "v8__Context__Enter",
    "v8__Context__Exit",
    "v8__DisallowJavascriptExecutionScope__CONSTRUCT",
    "v8__DisallowJavascriptExecutionScope__DESTRUCT",
    "v8__AllowJavascriptExecutionScope__CONSTRUCT",
    "v8__AllowJavascriptExecutionScope__DESTRUCT",
    "v8__Global__New",
    "v8__Global__Reset",
    // `v8::internal::HandleScope::Extend(v8::internal::Isolate*)`
    "_ZN2v88internal11HandleScope6ExtendEPNS0_7IsolateE",
];

/// Prints the arguments that cargo passes to the linker, for the binaries, examples, tests and benches of the package whose build
/// script calls this.
///
/// Does nothing for targets other than x86-64 Linux, which have no hooks: the start-up line of a program built for them says that
/// it runs without hooks.
pub fn link_hooks() {
    if let Some(arguments) = arguments(&std::env::var("TARGET").unwrap_or_default()) {
        for argument in arguments {
            println!("cargo:rustc-link-arg={argument}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}

/// Returns the same arguments as `rustflags` for `.cargo/config.toml`.
pub fn config_toml() -> String {
    let flags: Vec<String> = WRAPPED
        .iter()
        .map(|symbol| format!("    \"-Clink-arg={}\",\n", argument(symbol)))
        .collect();
    format!(
        "[target.x86_64-unknown-linux-gnu]\nrustflags = [\n{}]\n",
        flags.concat()
    )
}

/// The arguments of the linker for `target`; `None` if there are no hooks for it.
fn arguments(target: &str) -> Option<impl Iterator<Item = String>> {
    (target.starts_with("x86_64-") && target.contains("-linux-"))
        .then(|| WRAPPED.iter().map(|symbol| argument(symbol)))
}

fn argument(symbol: &str) -> String {
    format!("-Wl,--wrap={symbol}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_is_wrapped_where_there_are_hooks() {
        let arguments: Vec<String> = arguments("x86_64-unknown-linux-gnu").unwrap().collect();
        assert_eq!(arguments.len(), WRAPPED.len());
        assert_eq!(arguments[0], "-Wl,--wrap=v8__HandleScope__CONSTRUCT");
    }

    #[test]
    fn nothing_is_linked_where_there_are_none() {
        for target in [
            "x86_64-apple-darwin",
            "aarch64-unknown-linux-gnu",
            "x86_64-pc-windows-msvc",
        ] {
            assert!(arguments(target).is_none(), "{target}");
        }
    }

    #[test]
    fn the_config_holds_the_same() {
        let config = config_toml();
        assert!(config.starts_with(
            "[target.x86_64-unknown-linux-gnu]\nrustflags = [\n    \"-Clink-arg=-Wl,--wrap=v8__HandleScope__CONSTRUCT\",\n"
        ));
        assert_eq!(config.matches("--wrap=").count(), WRAPPED.len());
    }

    /// `handleguard-v8` lists the hooked functions in two files: those of the v8 crate, and V8's own.
    #[test]
    fn each_wrapped_symbol_has_its_hook_and_no_other_has() {
        let functions = include_str!("../../src/interpose/functions.rs");
        let extend = include_str!("../../src/interpose/extend.rs");
        let listed = functions
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\", "))
            .map(|(symbol, _)| symbol);
        let own = extend
            .lines()
            .filter_map(|line| line.trim().strip_prefix("symbol: \"")?.strip_suffix("\","));
        assert_eq!(listed.chain(own).collect::<Vec<_>>(), WRAPPED);
    }
}
