//! Builds this binary in several ways, and runs it.

use crate::row::Row;
use crate::target;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the group a child measures. The driver runs where it is not set.
pub const GROUP: &str = "OVERHEAD_GROUP";

/// How the children were built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Build {
    /// Without the feature `enabled`: this binary itself.
    CompiledOut,
    CompiledIn,
    /// Compiled in, and `-Cforce-frame-pointers=yes`.
    FramePointers,
    /// Compiled in, and the hooks linked, which see `v8::scope!` itself.
    Hooked,
    /// As `Hooked`, in a debug build.
    DebugHooked,
}

impl Build {
    pub fn describe(self, handleguard: &str) -> String {
        match self {
            Self::CompiledOut => "compiled out".to_owned(),
            Self::CompiledIn => handleguard.to_owned(),
            Self::FramePointers => format!("{handleguard}, frame pointers"),
            Self::Hooked => format!("{handleguard}, hooks"),
            Self::DebugHooked => format!("{handleguard}, hooks, debug build"),
        }
    }
}

pub struct Builds(Vec<(Build, PathBuf)>);

impl Builds {
    /// Has cargo build each of `wanted` that is not this binary.
    pub fn make(wanted: impl Iterator<Item = Build>) -> Result<Self, String> {
        let mut builds = Self(Vec::new());
        for build in wanted {
            builds.executable(build)?;
        }
        Ok(builds)
    }

    /// The path of `build`, which cargo builds the first time.
    pub fn executable(&mut self, build: Build) -> Result<&Path, String> {
        if let Some(at) = self.0.iter().position(|(made, _)| *made == build) {
            return Ok(&self.0[at].1);
        }
        self.0.push((build, executable(build)?));
        Ok(&self.0[self.0.len() - 1].1)
    }

    /// Runs one group in a process of its own.
    pub fn run(
        &mut self,
        build: Build,
        group: &str,
        handleguard: &str,
    ) -> Result<Vec<Row>, String> {
        let mut command = Command::new(self.executable(build)?);
        command.env("HANDLEGUARD", handleguard);
        let rows = rows(command, group)?.into_iter().map(|row| Row {
            build: build.describe(handleguard),
            ..row
        });
        Ok(rows.collect())
    }
}

/// The rows that `command`, which runs one of the builds, prints for `group`.
pub fn rows(mut command: Command, group: &str) -> Result<Vec<Row>, String> {
    let output = command
        .env(GROUP, group)
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!(
            "{group}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let rows: Vec<Row> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(Row::from_json)
        .collect();
    if rows.is_empty() {
        return Err(format!("{group}: measured nothing"));
    }
    Ok(rows)
}

fn executable(build: Build) -> Result<PathBuf, String> {
    let mut cargo = cargo();
    let bench = ["-p", "handleguard-v8", "--bench", "overhead"];
    let json = ["--message-format", "json-render-diagnostics"];
    match build {
        Build::CompiledOut => {
            return std::env::current_exe().map_err(|error| error.to_string());
        }
        Build::CompiledIn => {
            cargo.args(["bench", "--no-run", "--features", "enabled"]);
            cargo.args(bench).args(json);
        }
        Build::FramePointers => {
            cargo.args(["bench", "--no-run", "--features", "enabled"]);
            cargo.args(bench).args(json);
            // Its own target directory: the flags differ, and each build would throw the other away.
            cargo.env("CARGO_TARGET_DIR", target::folder().join("frame-pointers"));
            cargo.env("RUSTFLAGS", "-Cforce-frame-pointers=yes");
        }
        Build::Hooked | Build::DebugHooked => {
            let profile = if build == Build::Hooked {
                "bench"
            } else {
                "dev"
            };
            cargo.args(["rustc", "--profile", profile, "--features", "interpose"]);
            cargo.args(bench).args(json).arg("--");
            let wrap = |symbol| format!("-Clink-arg=-Wl,--wrap={symbol}");
            cargo.args(handleguard_build::WRAPPED.map(wrap));
        }
    }
    let output = cargo
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "overhead")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo built no executable: {}", output.status))
}

/// The cargo that runs this bench.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo
}
