//! handleguard on real V8. One binary, for each that links V8 is large.

#[path = "v8/calls.rs"]
mod calls;
#[path = "v8/death.rs"]
mod death;
#[path = "v8/engine_traps.rs"]
mod engine_traps;
#[path = "v8/facts.rs"]
mod facts;
#[path = "v8/gc.rs"]
mod gc;
#[path = "v8/isolates.rs"]
mod isolates;
#[path = "v8/macros.rs"]
mod macros;
#[path = "v8/programs.rs"]
mod programs;
#[path = "v8/rules.rs"]
mod rules;
#[path = "v8/sealed.rs"]
mod sealed;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "v8/stacks.rs"]
mod stacks;
#[path = "v8/traps.rs"]
mod traps;
#[path = "v8/usage.rs"]
mod usage;
