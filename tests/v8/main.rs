//! handleguard on real V8. All tests are in one binary, because each binary that links V8 is large.

mod calls;
mod death;
mod engine_threads;
mod engine_traps;
mod entries;
mod facts;
mod gc;
mod isolates;
mod macros;
mod makers;
#[cfg(target_os = "linux")]
mod names;
mod persistent;
mod programs;
mod rules;
mod sealed;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod stacks;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod teardown;
mod test_runs;
mod traps;
mod usage;
