//! Unit tests that are too long to stand under what they test, and the models.

#[cfg(not(loom))]
mod host;
#[cfg(all(feature = "testing", not(loom)))]
mod recent;
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

use crate::engine::fake::Fake;
use crate::finding::Finding;
use crate::trace::Trace;
use crate::{Action, Engine, IsolateId, Violation};

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
        trace: Trace::new(&[], None, Fake::DIALECT.layer, Vec::new(), false),
        dialect: Fake::DIALECT,
    }
}
