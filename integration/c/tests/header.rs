//! `handleguard.h` is exactly what cbindgen generates from the Rust source.

use std::fs;
use std::path::Path;

/// In the order of the header.
const SOURCES: [&str; 6] = ["config", "status", "isolate", "place", "guards", "report"];

#[test]
fn the_header_is_generated_from_the_rust_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let builder = SOURCES
        .iter()
        .map(|source| root.join(format!("src/{source}.rs")))
        .fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
    let mut generated = Vec::new();
    builder
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    let header = root.join("include/handleguard.h");
    if std::env::var_os("HANDLEGUARD_WRITE_HEADER").is_some() {
        fs::write(&header, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&header).unwrap_or_default() == generated,
        "the header differs from the Rust source; generate it by\n    HANDLEGUARD_WRITE_HEADER=1 cargo test -p handleguard-c \
         --test header\nIt would be:\n{generated}"
    );
}
