//! The parent's side: each bug performs three times, and its twin once, and the parent checks what they report.

use crate::marker;
use crate::performance::Performance;
use crate::specimen::Specimen;
use handleguard_v8::handleguard::Rule;
use std::sync::Mutex;

/// Turns of a twin.
const TWIN_TURNS: u32 = 10_000;

/// The result of a specimen.
pub struct Trial {
    pub specimen: &'static Specimen,
    /// What V8 alone does: its last words, or silence and by how much it grew.
    pub v8: String,
    /// Whether the bare counter sees the bug, and whether it blames the twin.
    pub counter: bool,
    pub counter_blames_twin: bool,
    /// The rules that handleguard reports.
    pub handleguard: String,
    /// The rules that it reports with the rule switched off, and whether that rule is not among them.
    pub without_rule: String,
    pub unreported: bool,
    /// The rules that it reports where no turn is marked; else whether it gives a hint.
    pub unmarked: String,
    /// Whether only the specimen's rule was expected. With the hooks alone, other rules may be.
    pub is_found_as_it_should: bool,
    /// Everything that differs from what is expected.
    pub failures: Vec<String>,
}

/// Runs every specimen, as many at a time as there are processors.
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
    let bug = Performance::new(specimen, "bug", turns, &on);
    let without = Performance::new(specimen, "bug", turns, &off);
    let alone = Performance::new(specimen, "bug", turns, "off");
    let twin = Performance::new(specimen, "twin", TWIN_TURNS, &on);
    let unmarked = Performance::unmarked(specimen, "bug", specimen.unmarked_turns, &on);
    let unmarked_twin = Performance::unmarked(specimen, "twin", TWIN_TURNS, &on);

    let mut failures = Vec::new();
    let mut fail = |run: &Performance, what: String| {
        failures.push(format!(
            "{} ({}): {what}\n--- {}\n--- stdout\n{}\n--- stderr\n{}",
            specimen.name, rule, run.output.status, run.stdout, run.stderr
        ));
    };
    for wrong in judge_bug(specimen, &bug) {
        fail(&bug, wrong);
    }
    let differs = cfg!(feature = "plain") && specimen.hooked.is_some();
    let unreported = !without.rules().contains(&rule.name());
    if !unreported {
        fail(&without, "found with its rule switched off".to_owned());
    }
    for run in [&twin, &unmarked_twin] {
        for wrong in judge_twin(run) {
            fail(run, wrong);
        }
    }
    let found_unmarked = match (unmarked.rules().join(", "), unmarked.has_hint()) {
        (rules, _) if !rules.is_empty() => rules,
        (_, true) => "a hint".to_owned(),
        _ if specimen.is_turn => "no bug".to_owned(),
        // Without the hooks, nothing of handleguard runs before V8 does.
        _ if unmarked.stderr.contains("# Fatal error") => "V8 aborts".to_owned(),
        (_, false) => {
            fail(
                &unmarked,
                "neither found nor hinted at with no turn marked".to_owned(),
            );
            "silent".to_owned()
        }
    };
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
        unmarked: found_unmarked,
        is_found_as_it_should: !differs,
        failures,
    }
}

/// Everything wrong with a run of a twin.
fn judge_twin(run: &Performance) -> Vec<String> {
    let mut wrong = Vec::new();
    if !run.events.is_empty() || run.sites().next().is_some() {
        wrong.push("the twin is not silent".to_owned());
    }
    if run.grown() != Some(0) {
        wrong.push(format!("the twin has grown by {:?}", run.grown()));
    }
    wrong
}

/// Everything wrong with the report of a bug.
fn judge_bug(specimen: &Specimen, run: &Performance) -> Vec<String> {
    let rule = specimen.rule;
    let mut wrong = Vec::new();
    // With macros and hooks, either rule is right: whichever sees the bug first reports it.
    let may_differ = cfg!(feature = "plain") || run.rules() != [rule.name()];
    if let Some(rules) = specimen.hooked
        && cfg!(feature = "interpose")
        && may_differ
    {
        let rules: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        if run.rules() != rules {
            wrong.push(format!("expected {rules:?}, found {:?}", run.rules()));
        }
        return wrong;
    }
    if run.rules() != [rule.name()] {
        wrong.push(format!("expected {rule} alone, found {:?}", run.rules()));
        return wrong;
    }
    let event = &run.events[0];
    // The linker's hooks know the address of a place, and no `#[track_caller]` location.
    if cfg!(not(feature = "interpose")) {
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
    // A line without a known place must still be in the stack.
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
        let reported: u64 = run
            .sites()
            .filter_map(|site| site["handles"].as_u64())
            .sum();
        if Some(reported) != run.grown() {
            wrong.push(format!(
                "reported {reported} handles, V8 counts {:?}",
                run.grown()
            ));
        }
    }
    wrong
}

#[test]
fn a_twin_in_the_place_of_its_bug_is_objected_to_and_so_is_the_bug_in_its() {
    let specimen = crate::bugs::all().next().expect("a specimen");
    let bug = Performance::new(specimen, "bug", 10, "log,tick=off");
    let twin = Performance::new(specimen, "twin", 1, "log,tick=off");
    assert_eq!(
        judge_bug(specimen, &twin),
        ["expected missing-scope alone, found []"]
    );
    assert_eq!(judge_bug(specimen, &bug), ["found 10 times, not 1"]);
    let grown = bug.grown().expect("an end");
    assert_eq!(
        judge_twin(&bug),
        [
            "the twin is not silent".to_owned(),
            format!("the twin has grown by Some({grown})")
        ]
    );
}
