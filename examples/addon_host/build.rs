//! Builds the add-ons, which know nothing of handleguard, as a user does: each by one call of a compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=addons");
    println!("cargo::rerun-if-changed=src/api.rs");
    println!("cargo::rustc-env=ADDONS={}", out.display());
    for name in ["good_rust", "bad_rust"] {
        rust(name, &out);
    }
    for name in ["good_cpp", "bad_cpp", "no_symbol"] {
        cpp(name, &out);
    }
    other_machine(&out);
}

fn file(out: &Path, name: &str) -> PathBuf {
    out.join(format!("lib{name}.so"))
}

fn rust(name: &str, out: &Path) {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets it"));
    run(rustc
        .args([
            "--crate-type=cdylib",
            "--edition=2024",
            "-Cdebuginfo=1",
            "-Copt-level=1",
        ])
        .args(["-Dwarnings", "--target"])
        .arg(env::var_os("TARGET").expect("cargo sets it"))
        .arg(format!("addons/{name}.rs"))
        .arg("-o")
        .arg(file(out, name)));
}

fn cpp(name: &str, out: &Path) {
    let compiler = cc::Build::new().cpp(true).get_compiler();
    run(compiler
        .to_command()
        .args([
            "-shared",
            "-fPIC",
            "-std=c++17",
            "-g",
            "-O1",
            "-fvisibility=hidden",
        ])
        .args(["-Wall", "-Wextra"])
        .arg(format!("addons/{name}.cc"))
        .arg("-o")
        .arg(file(out, name)));
}

/// Makes an add-on of another machine: the same file with another number in its ELF header (`e_machine`, bytes 18 and 19).
fn other_machine(out: &Path) {
    const AARCH64: [u8; 2] = [183, 0];
    let mut bytes = fs::read(file(out, "good_cpp")).expect("it was just built");
    bytes[18..20].copy_from_slice(&AARCH64);
    fs::write(file(out, "other_machine"), bytes).expect("a file beside it");
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
