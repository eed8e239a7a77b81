//! What one thread knows of one isolate.

use crate::detect::stack::ScopeStack;
use crate::engine::ids::{EntryId, IsolateId};
use crate::thread::isolates::Lifetime;

/// The scope stack of one isolate on one thread.
pub(super) struct Record {
    pub(super) isolate: IsolateId,
    /// Says whether the isolate has ended, on whatever thread.
    pub(super) lifetime: Lifetime,
    /// The last id issued before this record. A guard with this id or an earlier one belongs to an isolate that has ended.
    pub(super) since: EntryId,
    pub(super) stack: ScopeStack,
}
