//! What is still open where a thread leaves an isolate.

use super::{FrameId, Stack};
use crate::finding::{Ended, Finding};
use crate::{Place, Seen};

impl Stack {
    /// Names this moment: what is pushed later has a later name.
    pub fn now(&self) -> FrameId {
        FrameId(self.pushed)
    }

    /// The thread leaves the isolate at `place`, which it entered at the moment `entered`, at the engine's level `then`; `seen`
    /// is from just before. Scopes opened since must be closed by now: their close would come in an isolate that is not
    /// entered.
    pub fn leave(
        &self,
        entered: FrameId,
        then: Option<u32>,
        place: Place,
        seen: Seen,
    ) -> Vec<Finding> {
        let from = self.frames.partition_point(|frame| frame.id <= entered);
        let leaked = match (seen.level, then) {
            (Some(now), Some(then)) => Some(now.saturating_sub(then)),
            _ => None,
        };
        self.never_closed(from, seen.level, leaked, |scope| Finding::NeverClosed {
            scope,
            ended: Ended::Exit(place),
            turn: None,
        })
    }
}
