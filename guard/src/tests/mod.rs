//! Unit tests that are too long to stand under what they test, and the models.

#[cfg(all(feature = "testing", not(loom)))]
mod fast_path;
#[cfg(not(loom))]
mod host;
#[cfg(all(feature = "testing", not(loom)))]
mod moving;
#[cfg(not(loom))]
mod rules;
#[cfg(not(loom))]
mod stack;
#[cfg(not(loom))]
mod stack_hooks;
#[cfg(not(loom))]
mod stack_properties;

#[cfg(loom)]
mod loom_fork;
#[cfg(loom)]
mod loom_pending_logs;
#[cfg(loom)]
mod loom_record;
#[cfg(loom)]
mod loom_slot_table;
#[cfg(loom)]
mod loom_start;

use crate::config::action::Action;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::{ScopeKind, ScopeRef};
use crate::describe::turn::TurnRef;
use crate::describe::violation::Violation;
use crate::engine::fake::Fake;
use crate::engine::ids::IsolateId;
use crate::engine::interface::Engine;
use crate::place::Place;
use crate::symbolize::trace::Trace;
use std::sync::Arc;

/// A violation that nobody committed, with no stack.
pub(crate) fn violation(finding: Finding, note: Option<&'static str>) -> Violation {
    Violation {
        finding,
        configured: Action::Panic,
        policy: None,
        note,
        thread: "worker-3".to_owned(),
        isolate: IsolateId(0xabc),
        callee: None,
        first_user: None,
        handles: finding.handles(),
        alive: None,
        trace: Arc::new(Trace::new(
            &[],
            None,
            Fake::WORDING.classifier,
            Vec::new(),
            false,
        )),
        wording: Fake::WORDING,
    }
}

/// The message of `finding` without its stack, with each place in `file` as `FILE`.
pub(crate) fn message(finding: impl Into<Finding>, file: &str) -> String {
    text(violation(finding.into(), None), file)
}

/// The same, with a note on the action.
pub(crate) fn message_with_note(
    finding: impl Into<Finding>,
    note: &'static str,
    file: &str,
) -> String {
    text(violation(finding.into(), Some(note)), file)
}

fn text(violation: Violation, file: &str) -> String {
    let text = format!(
        "handleguard: {}\n{}",
        violation.sentence(),
        violation.details()
    );
    assert_eq!(violation.to_string(), format!("{text}{}", violation.trace));
    let mut pieces = text.split(file);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |out, piece| {
        let is_position = |character: char| character == ':' || character.is_numeric();
        out + "FILE" + piece.trim_start_matches(is_position)
    })
}

/// A `HandleScope` opened in this turn.
pub(crate) fn scope_ref(number: u64, place: Place) -> ScopeRef {
    ScopeRef {
        number,
        kind: ScopeKind::HandleScope,
        place,
        turns_ago: 0,
    }
}

/// The first scope, opened three turns ago.
pub(crate) fn main_scope(place: Place) -> ScopeRef {
    ScopeRef {
        turns_ago: 3,
        ..scope_ref(1, place)
    }
}

/// The third turn, or a phase of garbage collection in its place.
pub(crate) fn uv_run(place: Place, gc: Option<GcPhase>) -> TurnRef {
    TurnRef {
        number: 3,
        place,
        gc,
    }
}
