//! One performance of a bug or a twin in a process of its own, and what it printed.

use crate::counter;
use crate::specimen::Specimen;
use crate::stage::{END, PART, SPECIMEN, TURNS, UNMARKED};
use handleguard_v8::handleguard::Rule;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// The test that a child runs.
const STAGE: &str = "one_specimen_on_stage";

/// One performance.
pub struct Performance {
    pub output: Output,
    pub stderr: String,
    pub stdout: String,
    /// Violations, as logged or printed.
    pub events: Vec<Value>,
    /// The summary at the end; `None` if the child did not get there.
    pub end: Option<Value>,
}

impl Performance {
    pub fn new(specimen: &Specimen, part: &str, turns: u32, directives: &str) -> Self {
        Self::with(specimen, part, turns, directives, None)
    }

    /// As [`new`](Self::new), with no turn marked.
    pub fn unmarked(specimen: &Specimen, part: &str, turns: u32, directives: &str) -> Self {
        Self::with(specimen, part, turns, directives, Some((UNMARKED, "1")))
    }

    fn with(
        specimen: &Specimen,
        part: &str,
        turns: u32,
        directives: &str,
        further: Option<(&str, &str)>,
    ) -> Self {
        let turns = turns.to_string();
        let variables = [
            (SPECIMEN, specimen.name),
            (PART, part),
            (TURNS, turns.as_str()),
        ];
        let variables = variables.into_iter().chain(further);
        let output = handleguard_tests::child_with(STAGE, directives, variables);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let logged = stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|event| event["fields"].clone())
            .filter(|fields| fields["rule"].is_string());
        let events = logged.chain(printed(&stderr)).collect();
        let end = stdout
            .lines()
            .find_map(|line| line.strip_prefix(END))
            .map(|end| serde_json::from_str(end).expect("the child's last line"));
        Self {
            output,
            stderr,
            stdout,
            events,
            end,
        }
    }

    pub fn grown(&self) -> Option<u64> {
        self.end.as_ref()?["grown"].as_u64()
    }

    /// The sites known at the end.
    pub fn sites(&self) -> impl Iterator<Item = &Value> {
        let sites = self.end.as_ref().and_then(|end| end["sites"].as_array());
        sites.into_iter().flatten()
    }

    pub fn is_counted(&self) -> bool {
        self.stdout.contains(counter::LINE)
    }

    /// The rules of its events, each once.
    pub fn rules(&self) -> Vec<&str> {
        let mut rules: Vec<&str> = self
            .events
            .iter()
            .filter_map(|event| event["rule"].as_str())
            .collect();
        rules.dedup();
        rules
    }

    /// Whether it got a hint about its turns.
    pub fn has_hint(&self) -> bool {
        self.stderr.contains("hint: ")
    }

    /// How it ended, by V8 or Rust.
    pub fn ending(&self, turns: u32) -> String {
        let lines: Vec<&str> = self.stderr.lines().collect();
        // `# Fatal error in v8::HandleScope::CreateHandle()`, or `# Fatal error`, and the next line says why.
        if let Some(at) = lines
            .iter()
            .position(|line| line.starts_with("# Fatal error"))
        {
            let why = lines[at + 1].trim_start_matches("# ");
            return format!("aborts: `{why}`");
        }
        if let Some(signal) = self.output.status.signal() {
            return match signal {
                6 => "SIGABRT, no word of V8".to_owned(),
                11 => "SIGSEGV".to_owned(),
                signal => format!("signal {signal}"),
            };
        }
        match (self.output.status.code(), self.grown()) {
            (Some(0), Some(0)) => "silent".to_owned(),
            (Some(0), Some(grown)) => {
                let each = grown / u64::from(turns);
                let plural = if each == 1 { "" } else { "s" };
                format!("silent, {each} handle{plural} more each turn")
            }
            (code, _) => {
                let why = lines
                    .iter()
                    .position(|line| line.contains("panicked at"))
                    .map_or("", |at| lines[at + 1]);
                match code {
                    Some(101) => format!("the v8 crate panics: `{why}`"),
                    code => format!("exit {code:?}: {why}"),
                }
            }
        }
    }
}

/// The reports that actions which end the process have printed, with the fields of an event of the log.
fn printed(stderr: &str) -> impl Iterator<Item = Value> {
    stderr.split("\nhandleguard: ").skip(1).filter_map(|report| {
        let (rule, _) = report.split_once(": ")?;
        let line = |label: &str| {
            report.lines().find_map(|line| {
                let (found, place) = line.split_once(": ")?;
                (found.trim() == label && place.contains(" at ")).then_some(place)
            })
        };
        let rule = Rule::named(rule)?.name();
        let opener = ["swallowed by", "goes to"].into_iter().find_map(line);
        Some(json!({ "rule": rule, "callback": line("callback"), "opener": opener, "count": 1, "trace": report }))
    })
}
