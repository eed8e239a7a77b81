//! The child's side: one bug or twin performs its turns, and the reports of handleguard go to the parent.
//!
//! Events go to stderr at once, because V8's last words go there too. The summary at the end, if the child gets there, goes to stdout
//! in one line.

use crate::specimen::Specimen;
use handleguard_v8::handleguard::{self, Rule, Violation};
use serde_json::json;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The variable with the name of the specimen that the child performs.
pub const SPECIMEN: &str = "HANDLEGUARD_ZOO_SPECIMEN";
/// The variable with the part: `bug` or `twin`.
pub const PART: &str = "HANDLEGUARD_ZOO_PART";
/// The variable with the number of turns.
pub const TURNS: &str = "HANDLEGUARD_ZOO_TURNS";
/// The variable that is set if no turn is to be marked.
pub const UNMARKED: &str = "HANDLEGUARD_ZOO_UNMARKED";
/// The beginning of the last line.
pub const END: &str = "zoo: end ";

/// Where a bug or its twin performs.
pub struct Stage {
    turns: u32,
    performed: AtomicBool,
    grown: AtomicU64,
}

impl Stage {
    /// Runs `turn` as often as the parent wants, and records by how many handles the isolate has grown.
    pub fn turns<S: AsRef<v8::Isolate>>(&self, isolate: &mut S, mut turn: impl FnMut(&mut S)) {
        let handles = |isolate: &S| {
            handleguard_v8::handles(isolate.as_ref()).expect("a V8 that counts its handles")
        };
        let before = handles(isolate);
        for _ in 0..self.turns {
            turn(isolate);
        }
        self.performed.store(true, Ordering::Relaxed);
        let grown = handles(isolate).saturating_sub(before);
        self.grown.store(grown, Ordering::Relaxed);
    }
}

/// Whether turns are marked in this process.
pub fn marks_turns() -> bool {
    static MARKS: LazyLock<bool> = LazyLock::new(|| std::env::var_os(UNMARKED).is_none());
    *MARKS
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Performs the specimen that the variables name.
pub fn perform(mut zoo: impl Iterator<Item = &'static Specimen>) {
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .init();
    let name = variable(SPECIMEN);
    let specimen = zoo
        .find(|specimen| specimen.name == name)
        .unwrap_or_else(|| panic!("no specimen is named `{name}`"));
    let stage = Stage {
        turns: variable(TURNS).parse().expect("a number of turns"),
        performed: AtomicBool::new(false),
        grown: AtomicU64::new(0),
    };
    let act = match variable(PART).as_str() {
        "bug" => specimen.bug,
        "twin" => specimen.twin,
        other => panic!("no part is named `{other}`"),
    };
    act(&stage);
    assert!(
        stage.performed.load(Ordering::Relaxed),
        "`{name}` has taken no turn"
    );
    let sites: Vec<_> = handleguard::report()
        .sites()
        .iter()
        .map(|site| {
            json!({
                "rule": site.violation().rule().name(),
                "count": site.count(),
                "handles": site.handles(),
                "trace": trace(site.violation()),
            })
        })
        .collect();
    // The harness has already printed the beginning of a line.
    println!(
        "\n{END}{}",
        json!({ "grown": stage.grown.load(Ordering::Relaxed), "sites": sites })
    );
}

/// The stack of a violation that a source line is looked for in: one without a place, or with one that a hook recorded. Others
/// are left out, because naming frames takes long.
fn trace(violation: &Violation) -> Option<String> {
    let finding = violation.finding();
    let is_named = finding.place().is_some() && finding.rule() != Rule::OutOfOrder;
    (!is_named).then(|| violation.trace().to_string())
}
