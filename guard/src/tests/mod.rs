//! Unit tests that are too long to stand under what they test, and the models.

#[cfg(all(feature = "testing", not(loom)))]
mod fast_path;
#[cfg(not(loom))]
mod host;
#[cfg(not(loom))]
mod stack;
#[cfg(not(loom))]
mod stack_hooks;
#[cfg(not(loom))]
mod stack_phases;
#[cfg(not(loom))]
mod stack_properties;

#[cfg(loom)]
mod loom_sites;
#[cfg(loom)]
mod loom_start;

use crate::config::action::Action;
use crate::describe::violation::Violation;
use crate::detect::finding::Finding;
use crate::engine::fake::Fake;
use crate::engine::ids::IsolateId;
use crate::engine::interface::Engine;
use crate::symbolize::trace::Trace;

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
        owner: None,
        handles: finding.handles(),
        alive: None,
        trace: Trace::new(&[], None, Fake::WORDING.classifier, Vec::new(), false),
        dialect: Fake::WORDING,
    }
}
