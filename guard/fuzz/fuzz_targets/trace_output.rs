//! What bpftrace prints, with names of the process that is traced.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| handleguard_cli::fuzz::trace_output(text));
