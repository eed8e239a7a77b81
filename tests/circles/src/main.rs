//! Finds import circles between the source files of Rust crates, from their `use` declarations and qualified paths.
//!
//! ```text
//! handleguard-circles <root.rs>... [--only <file.rs> <importer>...]...
//! ```
//!
//! Each `root.rs` is the root of a crate: the module tree is read from there. Prints each circle as `a.rs -> b.rs -> a.rs`, with
//! the path by which each file imports the next, and exits with 1 if there is one. `--only` names a file that only these files and folders may import.
//!
//! A path is an import of the file of the innermost module that it names: `crate::a::b::C` imports `a/b.rs`, and `crate::D`
//! imports `lib.rs`, which then imports what it re-exports. Neither a `mod x;` line nor code for `#[cfg(test)]` imports
//! anything: unit tests may use the whole crate. A `$crate` path belongs to the code that expands the macro.

mod graph;
mod modules;
mod paths;
mod tokens;

use graph::Graph;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut parts = arguments.split(|argument| argument == "--only");
    let roots = parts.next().unwrap_or_default();
    let mut graph = Graph::default();
    for root in roots {
        if let Err(error) = modules::add(Path::new(root), &mut graph) {
            eprintln!("circles: {error}");
            return ExitCode::from(2);
        }
    }
    let mut faults = graph.circles();
    for only in parts {
        let Some((file, importers)) = only.split_first() else {
            eprintln!("circles: `--only` needs a file");
            return ExitCode::from(2);
        };
        if !graph.has(file) {
            eprintln!("circles: `--only {file}`: no such file in the module trees");
            return ExitCode::from(2);
        }
        faults.extend(graph.imported_from_elsewhere(file, importers));
    }
    for fault in &faults {
        print!("{fault}");
    }
    eprintln!(
        "circles: {} files, {} imports, {} faults",
        graph.files(),
        graph.imports(),
        faults.len()
    );
    ExitCode::from(u8::from(!faults.is_empty()))
}
