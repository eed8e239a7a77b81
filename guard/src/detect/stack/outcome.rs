//! The result of an end: findings, and handles that belong to an earlier report.

use crate::describe::finding::Finding;

/// Names a report to which the recorder can add handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReportRef {
    /// A slot of the site table.
    Site(usize),
    /// An index into the violations that a test collects.
    Collected(usize),
}

/// Handles that the cause of an earlier report left in the receiving scope after it was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LateHandles {
    /// The earlier report.
    pub(crate) report_ref: ReportRef,
    /// How many handles are to be added to it; never 0.
    pub(crate) handles: u64,
}

impl LateHandles {
    /// `None` if there are no handles to add.
    pub(super) fn new(report_ref: ReportRef, handles: u64) -> Option<Self> {
        (handles > 0).then_some(Self {
            report_ref,
            handles,
        })
    }
}

/// What the end of a callback, a turn or an isolate brought to light.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Outcome {
    /// The violations.
    pub(crate) findings: Vec<Finding>,
    /// Handles to add to an earlier report.
    pub(crate) late: Option<LateHandles>,
}
