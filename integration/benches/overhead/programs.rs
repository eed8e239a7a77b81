//! Whole programs, without the checks and with them on, in turns.

use crate::builds::{cargo, target};
use crate::paired::quantile;
use crate::row::Row;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pairs of runs.
const RUNS: usize = 7;

/// Connections closed in a second, in the phase that leaks nothing.
pub fn walmart_leak() -> Result<Vec<Row>, String> {
    let plain = build(&["--no-default-features"], "plain")?;
    let on = build(&[], "on")?;
    let mut all = [Vec::new(), Vec::new()];
    let mut ratios = Vec::new();
    for _ in 0..RUNS {
        let pair = [closed_per_second(&plain)?, closed_per_second(&on)?];
        ratios.push(pair[1] / pair[0]);
        for (all, one) in all.iter_mut().zip(pair) {
            all.push(one);
        }
    }
    let [mut plain, mut on] = all;
    let row = |build: &str, samples: &mut [f64]| Row {
        build: build.to_owned(),
        low: quantile(samples, 0.25),
        high: quantile(samples, 0.75),
        ..Row::exact(
            "programs",
            "walmart_leak, fixed phase",
            "connections/s",
            quantile(samples, 0.5),
        )
    };
    Ok(vec![
        row("compiled out", &mut plain),
        Row {
            ratio: Some(quantile(&mut ratios, 0.5)),
            ..row("log", &mut on)
        },
    ])
}

fn build(features: &[&str], name: &str) -> Result<PathBuf, String> {
    let built = cargo()
        .args(["build", "--release", "-p", "walmart_leak"])
        .args(features)
        .env("CARGO_TARGET_DIR", target())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("cargo could not build walmart_leak".to_owned());
    }
    let copy = target().join(format!("walmart_leak-{name}"));
    std::fs::copy(target().join("release/walmart_leak"), &copy)
        .map_err(|error| format!("{}: {error}", copy.display()))?;
    Ok(copy)
}

fn closed_per_second(program: &Path) -> Result<f64, String> {
    let output = Command::new(program)
        .args(["--phase", "fixed", "--seconds", "2", "--json"])
        .env("HANDLEGUARD", "")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| Some(line["closed"].as_f64()? / line["seconds"].as_f64()?))
        .rfind(|rate| rate.is_finite())
        .ok_or_else(|| format!("{}: no sample: {}", program.display(), output.status))
}
