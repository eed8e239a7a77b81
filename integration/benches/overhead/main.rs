//! Measures what handleguard costs. Each line is compared to the plain line of the same run.
//!
//! ```sh
//! cargo bench -p handleguard-v8 --bench overhead            # all groups
//! cargo bench -p handleguard-v8 --bench overhead -- scope   # those named
//! ```
//!
//! A build has the checks compiled in or not, and a process has them on or off. So this binary, which has them compiled out, has
//! cargo build it three times more (compiled in; with frame pointers; with the hooks linked), and runs itself and these builds as
//! children, one for each group and setting. Each child alternates between the plain line and the measured line ([`paired`]); all
//! ratios are relative to the plain line.
//!
//! Prints a table, and writes `target/overhead.json`.

#![allow(missing_docs, reason = "a program")]

mod allocations;
mod builds;
mod counted;
mod host;
mod load;
mod memory;
mod paired;
mod peers;
mod programs;
mod row;
mod scopes;
mod stall;
mod start;
mod target;
mod uprobes;
mod violations;

use builds::{Build, Builds, GROUP};
use row::Row;
use std::process::ExitCode;

#[global_allocator]
static COUNTING: allocations::Counting = allocations::Counting;

/// The variable that has this binary run the load for so many minutes, for `.ci/soak`.
const SOAK: &str = "OVERHEAD_SOAK";

/// One child: a build, its directives, and the group that it measures.
struct Child {
    build: Build,
    handleguard: &'static str,
    group: &'static str,
}

const fn child(group: &'static str, build: Build, handleguard: &'static str) -> Child {
    Child {
        build,
        handleguard,
        group,
    }
}

/// In the order of the table. A further program is a further function in [`programs`].
const CHILDREN: &[Child] = &[
    child("scope", Build::CompiledOut, ""),
    child("scope", Build::CompiledIn, "off"),
    child("scope", Build::CompiledIn, "count"),
    child("scope", Build::Hooked, "count"),
    child("block", Build::CompiledOut, ""),
    child("block", Build::Hooked, "count"),
    child("callback", Build::CompiledOut, ""),
    child("callback", Build::CompiledIn, "off"),
    child("callback", Build::CompiledIn, "count"),
    child("callback", Build::Hooked, "count"),
    child("turn", Build::CompiledIn, "off"),
    child("turn", Build::CompiledIn, "count"),
    child("turn", Build::CompiledIn, "count,sealed=abort"),
    child("violation", Build::FramePointers, "count"),
    child("violation", Build::CompiledIn, "count"),
    child("violation-logged", Build::FramePointers, "log,tick=off"),
    child("violation-logged", Build::CompiledIn, "log,tick=off"),
    child("violation-new", Build::FramePointers, "count"),
    child("violation-new", Build::CompiledIn, "count"),
    child("stall", Build::FramePointers, "log,tick=100ms"),
    child("stall", Build::CompiledIn, "log,tick=100ms"),
    child("stall-stderr", Build::CompiledIn, "log,tick=100ms"),
    child("peers", Build::CompiledIn, "count"),
    child("allocations", Build::CompiledIn, "count"),
    child("allocations", Build::FramePointers, "count"),
    child("memory-one-site", Build::CompiledIn, "count"),
    child("memory-many-stacks", Build::CompiledIn, "count"),
    child("memory-load", Build::CompiledIn, "off"),
    child("memory-load", Build::CompiledIn, "log,tick=100ms"),
    child("memory-load", Build::Hooked, "off"),
    child("memory-load", Build::Hooked, "log,tick=100ms"),
];

fn measure(group: &str) -> Vec<Row> {
    match group {
        "scope" => scopes::scope(),
        "block" => scopes::block(),
        "callback" => scopes::callback(),
        "turn" => scopes::turn(),
        "violation" => violations::known(),
        "violation-logged" => violations::logged(),
        "violation-new" => violations::new(),
        "stall" => stall::to_subscriber(),
        "stall-stderr" => stall::to_stderr(),
        "peers" => peers::peers(),
        uprobes::GROUP => uprobes::scopes(),
        "allocations" => memory::allocations(),
        // Used by `.ci/cost` only.
        "counted" => counted::counted(),
        "memory-one-site" => memory::one_site(),
        "memory-many-stacks" => memory::many_stacks(),
        "memory-load" => load::memory(),
        _ => unreachable!("no such group: {group}"),
    }
}

fn main() -> ExitCode {
    if let Ok(minutes) = std::env::var(SOAK) {
        load::soak(minutes.parse().expect("a number of minutes"));
        return ExitCode::SUCCESS;
    }
    if let Ok(group) = std::env::var(GROUP) {
        if group == start::GROUP {
            start::clean();
            return ExitCode::SUCCESS;
        }
        for row in measure(&group) {
            println!("{}", row.to_json());
        }
        return ExitCode::SUCCESS;
    }
    match drive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("overhead: {line}");
            ExitCode::FAILURE
        }
    }
}

fn drive() -> Result<(), String> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        // Cargo's own.
        .filter(|arg| arg != "--bench")
        .collect();
    let groups = || {
        let children = CHILDREN.iter().map(|child| child.group);
        children.chain([uprobes::GROUP, start::GROUP, "programs"])
    };
    if let Some(unknown) = wanted
        .iter()
        .find(|name| groups().all(|group| group != *name))
    {
        let mut accepted: Vec<&str> = groups().collect();
        accepted.dedup();
        return Err(format!(
            "`{unknown}`: no such group; accepted: {}",
            accepted.join(", ")
        ));
    }
    let is_wanted = |group: &str| wanted.is_empty() || wanted.iter().any(|name| name == group);

    let children: Vec<&Child> = CHILDREN
        .iter()
        .filter(|child| is_wanted(child.group))
        .collect();
    let mut builds = Builds::make(children.iter().map(|child| child.build))?;
    let mut rows = Vec::new();
    for Child {
        build,
        handleguard,
        group,
    } in children
    {
        eprintln!("overhead: {group}: {}", build.describe(handleguard));
        rows.extend(builds.run(*build, group, handleguard)?);
    }
    if is_wanted(uprobes::GROUP) {
        eprintln!("overhead: {}: bpftrace", uprobes::GROUP);
        rows.extend(uprobes::beside_plain(&mut builds)?);
    }
    if is_wanted(start::GROUP) {
        eprintln!("overhead: {}: clean processes", start::GROUP);
        rows.extend(start::beside_off(&mut builds)?);
    }
    if is_wanted("programs") {
        eprintln!("overhead: programs: walmart_leak");
        rows.extend(programs::walmart_leak()?);
        eprintln!("overhead: programs: deno_core_embedder");
        rows.extend(programs::deno_core_embedder()?);
    }
    row::beside_plain(&mut rows);
    row::print(&rows);
    let written = row::write(&rows)?;
    println!("\nwritten to {}", written.display());
    Ok(())
}
