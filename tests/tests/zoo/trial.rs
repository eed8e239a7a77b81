//! The parent's side: each specimen is put on stage four times, and its twin once, and what they say is judged.

use crate::counter;
use crate::marker;
use crate::specimen::Specimen;
use crate::stage::{END, PART, SPECIMEN, TURNS};
use handleguard_v8::handleguard::Rule;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Mutex;

/// Turns of a twin.
const TWIN_TURNS: u32 = 10_000;

/// The test that a child runs.
const STAGE: &str = "one_specimen_on_stage";

/// What came out of a specimen.
pub struct Trial {
    pub specimen: &'static Specimen,
    /// What V8 alone does: its last words, or silence and what it grew by.
    pub v8: String,
    /// Whether the bare counter sees the bug, and whether it blames the twin.
    pub counter: bool,
    pub counter_blames_twin: bool,
    /// What handleguard says.
    pub handleguard: String,
    /// What it says with the rule switched off, and whether it is not found by it then.
    pub without_rule: String,
    pub unreported: bool,
    /// What is not as it has to be.
    pub failures: Vec<String>,
}

/// One performance.
struct Run {
    output: Output,
    stderr: String,
    stdout: String,
    /// Violations, as logged or printed.
    events: Vec<Value>,
    /// What is known at the end; nothing where it was not reached.
    end: Option<Value>,
}

impl Run {
    fn new(specimen: &Specimen, part: &str, turns: u32, directives: &str) -> Self {
        let turns = turns.to_string();
        let variables = [
            (SPECIMEN, specimen.name),
            (PART, part),
            (TURNS, turns.as_str()),
        ];
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

    fn grown(&self) -> Option<u64> {
        self.end.as_ref()?["grown"].as_u64()
    }

    /// The sites known at the end.
    fn sites(&self) -> impl Iterator<Item = &Value> {
        let sites = self.end.as_ref().and_then(|end| end["sites"].as_array());
        sites.into_iter().flatten()
    }

    fn is_counted(&self) -> bool {
        self.stdout.contains(counter::LINE)
    }

    /// The rules of its events, each once.
    fn rules(&self) -> Vec<&str> {
        let mut rules: Vec<&str> = self
            .events
            .iter()
            .filter_map(|event| event["rule"].as_str())
            .collect();
        rules.dedup();
        rules
    }

    /// How it ended, by V8 or Rust.
    fn ending(&self, turns: u32) -> String {
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

/// The reports that were printed, by actions that end the process, with the fields that an event of the log has.
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

/// Puts each of them on stage, as many at a time as there are processors.
pub fn of_all(zoo: impl Iterator<Item = &'static Specimen> + Send) -> Vec<Trial> {
    let waiting = Mutex::new(zoo.enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            threads.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((at, specimen)) = next else { break };
                    let trial = of(specimen);
                    done.lock().unwrap().push((at, trial));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, trial)| trial).collect()
}

fn of(specimen: &'static Specimen) -> Trial {
    let Specimen { rule, turns, .. } = *specimen;
    let on = format!("log,tick=off,{}", specimen.directives);
    let off = format!("{on},{rule}=off");
    let bug = Run::new(specimen, "bug", turns, &on);
    let without = Run::new(specimen, "bug", turns, &off);
    let alone = Run::new(specimen, "bug", turns, "off");
    let twin = Run::new(specimen, "twin", TWIN_TURNS, &on);

    let mut failures = Vec::new();
    let mut fail = |run: &Run, what: String| {
        failures.push(format!(
            "{} ({}): {what}\n--- {}\n--- stdout\n{}\n--- stderr\n{}",
            specimen.name, rule, run.output.status, run.stdout, run.stderr
        ));
    };
    for wrong in judge_bug(specimen, &bug) {
        fail(&bug, wrong);
    }
    let unreported = !without.rules().contains(&rule.name());
    if !unreported {
        fail(&without, "found with its rule switched off".to_owned());
    }
    if !twin.events.is_empty() || twin.sites().next().is_some() {
        fail(&twin, "the twin is not silent".to_owned());
    }
    if twin.grown() != Some(0) {
        fail(&twin, format!("the twin has grown by {:?}", twin.grown()));
    }
    Trial {
        specimen,
        v8: alone.ending(turns),
        counter: alone.is_counted(),
        counter_blames_twin: twin.is_counted(),
        handleguard: bug.rules().join(", "),
        without_rule: match without.rules().join(", ") {
            rules if rules.is_empty() => "silent".to_owned(),
            rules => rules,
        },
        unreported,
        failures,
    }
}

/// What is wrong with the report of a bug.
fn judge_bug(specimen: &Specimen, run: &Run) -> Vec<String> {
    let rule = specimen.rule;
    let mut wrong = Vec::new();
    if run.rules() != [rule.name()] {
        wrong.push(format!("expected {rule} alone, found {:?}", run.rules()));
        return wrong;
    }
    let event = &run.events[0];
    // The linker's hooks know a call by its stack, and not by `#[track_caller]`.
    if cfg!(not(feature = "plain")) {
        for (role, field, wanted) in [
            ("callback", "callback", true),
            ("opener", "opener", true),
            ("place", "location", false),
        ] {
            let marked = marker::find(specimen.file, specimen.source, specimen.name, role);
            let named = event[field].as_str();
            let right = match &marked {
                Some(marked) => named.is_some_and(|named| named.contains(&format!("{marked}:"))),
                None => !wanted || named.is_none(),
            };
            if !right {
                wrong.push(format!("the {role} is {marked:?}, not {named:?}"));
            }
        }
    }
    // What no place is known of is still in the stack.
    if let Some(marked) = marker::find(specimen.file, specimen.source, specimen.name, "stack") {
        let traces: Vec<&str> = run
            .sites()
            .chain(&run.events)
            .filter_map(|report| report["trace"].as_str())
            .collect();
        if !traces
            .iter()
            .any(|trace| trace.contains(&format!("{}\n", marked.in_package())))
        {
            wrong.push(format!("{marked} is not in the stack: {}", traces.concat()));
        }
    }
    // V8's last words come after ours.
    let ours = [
        format!("\"rule\":\"{rule}\""),
        format!("\nhandleguard: {rule}: "),
    ]
    .iter()
    .find_map(|report| run.stderr.find(report));
    if let Some(fatal) = run.stderr.find("# Fatal error")
        && ours.is_none_or(|ours| ours > fatal)
    {
        wrong.push("the report does not stand before V8's last words".to_owned());
    }
    let count: u64 = if run.end.is_some() {
        run.sites().filter_map(|site| site["count"].as_u64()).sum()
    } else {
        run.events
            .iter()
            .filter_map(|event| event["count"].as_u64())
            .sum()
    };
    if count != specimen.count {
        wrong.push(format!("found {count} times, not {}", specimen.count));
    }
    if run.end.is_some() && matches!(rule, Rule::MissingScope | Rule::OuterGrowth) {
        let told: u64 = run
            .sites()
            .filter_map(|site| site["handles"].as_u64())
            .sum();
        if Some(told) != run.grown() {
            wrong.push(format!(
                "told of {told} handles, V8 counts {:?}",
                run.grown()
            ));
        }
    }
    wrong
}
