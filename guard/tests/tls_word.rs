//! The machine code around the lookup of a thread's word.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::process::Command;

/// A C library older than glibc 2.40 may change any vector register there (its bug 31372).
#[test]
fn no_value_is_kept_in_an_avx512_register_over_the_lookup() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assembly = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls_word.s");
    let status = Command::new(option_env!("RUSTC").unwrap_or("rustc"))
        .args(["--edition", "2024", "-O", "-Ctarget-cpu=x86-64-v4"])
        .args(["--emit", "asm", "--cap-lints", "allow", "-o"])
        .args([&assembly, &root.join("tests/fixtures/tls_word.rs")])
        .status()
        .expect("rustc");
    assert!(status.success());
    let assembly = std::fs::read_to_string(assembly).expect("the assembly");
    let (_, function) = assembly
        .split_once("\nholds_values:\n")
        .expect("the function");
    let (function, _) = function.split_once(".cfi_endproc").expect("its end");
    assert!(
        function.contains("@tlscall") || function.contains("@TLSCALL"),
        "{function}"
    );
    assert!(function.contains("zmm0"), "AVX-512 is used: {function}");
    // The caller-saved registers that AVX-512 adds.
    for register in 16..32 {
        assert!(!function.contains(&format!("%zmm{register}")), "{function}");
    }
}
