//! The memory map of a process that is traced.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| handleguard_cli::fuzz::maps(text));
