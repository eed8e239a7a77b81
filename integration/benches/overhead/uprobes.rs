//! bpftrace with a probe at each end of a scope: the peer that needs no build.

use crate::builds::{self, Build, Builds};
use crate::host::host;
use crate::paired::paired;
use crate::row::Row;
use std::hint::black_box;
use std::process::Command;

pub const GROUP: &str = "uprobes";

/// Counts both probes, which is the least that a probe can do.
const SCRIPT: &str =
    "uprobe:EXE:v8__HandleScope__CONSTRUCT, uprobe:EXE:v8__HandleScope__DESTRUCT { @ = count(); }";

/// The measurement of a child, traced or not.
pub fn scopes() -> Vec<Row> {
    host!(scope);
    let sampled = paired(1, |_, times| {
        for _ in 0..times {
            v8::scope!(let inner, scope);
            black_box(inner);
        }
    });
    vec![Row::paired(GROUP, "v8::scope!", &sampled[0])]
}

/// The plain line and the traced one. Where the machine does not permit tracing, prints why and returns only the plain line.
pub fn beside_plain(builds: &mut Builds) -> Result<Vec<Row>, String> {
    let mut rows = builds.run(Build::CompiledOut, GROUP, "")?;
    let exe = builds.executable(Build::CompiledOut)?.display().to_string();
    let mut bpftrace = Command::new("bpftrace");
    bpftrace.args(["-q", "-e", &SCRIPT.replace("EXE", &exe), "-c", &exe]);
    match builds::rows(bpftrace, GROUP) {
        Ok(traced) => {
            let plain = rows[0].median;
            rows.extend(traced.into_iter().map(|row| Row {
                build: "compiled out, bpftrace".to_owned(),
                ratio: Some(row.median / plain),
                over: Some(row.median - plain),
                ..row
            }));
        }
        Err(why) => eprintln!("overhead: {GROUP}: left out: {why}"),
    }
    Ok(rows)
}
