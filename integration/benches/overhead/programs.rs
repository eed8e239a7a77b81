//! Whole programs, run alternately without the checks and with them on.

use crate::builds::cargo;
use crate::paired::quantile;
use crate::row::Row;
use crate::target;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// Pairs of runs.
const RUNS: usize = 11;

/// Connections closed per second, in the phase that leaks nothing.
pub fn walmart_leak() -> Result<Vec<Row>, String> {
    let build = |name, features: &[&str]| {
        let mut cargo = cargo();
        cargo.args(["build", "--release", "-p", "walmart_leak"]);
        build(
            cargo.args(features),
            &target::folder(),
            "walmart_leak",
            name,
        )
    };
    let plain = build("plain", &["--no-default-features"])?;
    let on = build("on", &[])?;
    let rates = in_turns(|is_on| closed_per_second(if is_on { &on } else { &plain }))?;
    Ok(rates.rows(
        "walmart_leak, fixed phase",
        "connections/s",
        ["compiled out", "log"],
    ))
}

/// Operations per second of a program that uses no macro: handleguard sees nothing without the hooks, and everything with them.
pub fn deno_core_embedder() -> Result<Vec<Row>, String> {
    let build = |name, features: &[&str]| {
        let mut cargo = cargo();
        cargo.args(["build", "--release", "--manifest-path"]);
        cargo.arg("examples/deno_core_embedder/Cargo.toml");
        let target = target::folder().join("deno_core_embedder");
        build(cargo.args(features), &target, "deno_core_embedder", name)
    };
    let plain = build("plain", &["--no-default-features"])?;
    let on = build("on", &[])?;
    let rates = in_turns(|is_on| {
        if is_on {
            operations_per_second(&on, "log")
        } else {
            operations_per_second(&plain, "off")
        }
    })?;
    Ok(rates.rows(
        "deno_core_embedder",
        "operations/s",
        ["no hooks, off", "log, hooks"],
    ))
}

/// The rates of each pair of runs: without the checks, and with them.
struct Rates(Vec<[f64; 2]>);

fn in_turns(run: impl Fn(bool) -> Result<f64, String>) -> Result<Rates, String> {
    let pair = |at| {
        // The order alternates, so that an effect of the first run on the second falls on both.
        Ok(if at % 2 == 0 {
            [run(false)?, run(true)?]
        } else {
            let on = run(true)?;
            [run(false)?, on]
        })
    };
    (0..RUNS).map(pair).collect::<Result<_, _>>().map(Rates)
}

impl Rates {
    fn rows(&self, line: &str, unit: &str, builds: [&str; 2]) -> Vec<Row> {
        let mut ratios: Vec<f64> = self.0.iter().map(|[plain, on]| on / plain).collect();
        let ratio = quantile(&mut ratios, 0.5);
        let row = |at: usize| {
            let mut samples: Vec<f64> = self.0.iter().map(|pair| pair[at]).collect();
            Row {
                build: builds[at].to_owned(),
                low: quantile(&mut samples, 0.25),
                high: quantile(&mut samples, 0.75),
                ratio: (at == 1).then_some(ratio),
                ..Row::exact("programs", line, unit, quantile(&mut samples, 0.5))
            }
        };
        vec![row(0), row(1)]
    }
}

fn build(cargo: &mut Command, target: &Path, bin: &str, name: &str) -> Result<PathBuf, String> {
    let built = cargo.env("CARGO_TARGET_DIR", target).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(format!("cargo could not build {bin}"));
    }
    let copy = target.join(format!("{bin}-{name}"));
    std::fs::copy(target.join("release").join(bin), &copy)
        .map_err(|error| format!("{}: {error}", copy.display()))?;
    Ok(copy)
}

fn run(program: &Path, args: &[&str], handleguard: &str) -> Result<Output, String> {
    let output = Command::new(program)
        .args(args)
        .env("HANDLEGUARD", handleguard)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), output.status));
    }
    Ok(output)
}

fn closed_per_second(program: &Path) -> Result<f64, String> {
    let args = ["--phase", "fixed", "--seconds", "2", "--json"];
    let output = run(program, &args, "")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| Some(line["closed"].as_f64()? / line["seconds"].as_f64()?))
        .rfind(|rate| rate.is_finite())
        .ok_or_else(|| format!("{}: no sample", program.display()))
}

/// From the start of the process to its end.
fn operations_per_second(program: &Path, handleguard: &str) -> Result<f64, String> {
    const OPERATIONS: u32 = 1_000_000;
    let operations = OPERATIONS.to_string();
    let start = Instant::now();
    run(program, &["--operations", &operations], handleguard)?;
    Ok(f64::from(OPERATIONS) / start.elapsed().as_secs_f64())
}
