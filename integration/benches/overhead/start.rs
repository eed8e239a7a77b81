//! What a clean process costs from its start to its end: the CPU time of a host that violates nothing, in a build with the checks and
//! in one without, debug builds included.

use crate::builds::{Build, Builds, GROUP as GROUP_VARIABLE};
use crate::host::{function, host};
use crate::row::Row;
use std::process::{Command, Stdio};
use std::time::Duration;

pub const GROUP: &str = "start";

/// How many processes are run of each kind.
const RUNS: usize = 31;

/// The child: a host with a turn, scopes with more than 64 handles, and calls.
pub fn clean() {
    host!(scope);
    let empty = function(scope, "function empty() {}");
    let undefined: v8::Local<v8::Value> = v8::undefined(scope).into();
    for _ in 0..100 {
        handleguard_v8::turn!(scope, "clean");
        v8::scope!(let scope, scope);
        for number in 0..100 {
            v8::Number::new(scope, f64::from(number) + 0.5);
        }
        empty.call(scope, undefined, &[]);
    }
}

/// Each build with the checks off, by the variable, and on by its default; alternately.
pub fn beside_off(builds: &mut Builds) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for build in [Build::CompiledIn, Build::Hooked, Build::DebugHooked] {
        let executable = builds.executable(build)?.to_owned();
        let run = |handleguard: Option<&str>| {
            let mut command = Command::new(&executable);
            command.env(GROUP_VARIABLE, GROUP).env_remove("HANDLEGUARD");
            command.envs(handleguard.map(|directives| ("HANDLEGUARD", directives)));
            let before = cpu_of_children();
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            match status {
                Ok(status) if status.success() => Ok(cpu_of_children() - before),
                other => Err(format!("{GROUP}: {other:?}")),
            }
        };
        let (mut off, mut on) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            off.push(run(Some("off"))?);
            on.push(run(None)?);
        }
        let millis = |samples: &mut Vec<Duration>| {
            samples.sort();
            let at = |part: usize| samples[samples.len() * part / 4].as_secs_f64() * 1e3;
            (at(1), at(2), at(3))
        };
        let plain = millis(&mut off).1;
        for (setting, samples) in [("off", &mut off), ("on", &mut on)] {
            let (low, median, high) = millis(samples);
            rows.push(Row {
                build: build.describe(setting),
                low,
                high,
                ratio: Some(median / plain),
                over: Some(median - plain),
                ..Row::exact(GROUP, "CPU of a clean process", "ms", median)
            });
        }
    }
    Ok(rows)
}

/// The CPU time of all children that have ended (getrusage(2)).
fn cpu_of_children() -> Duration {
    // SAFETY: all zeros is a `rusage`, and the call writes one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}
