//! The API where the checks are compiled in; [`compiled_out`](crate::compiled_out) is its twin.

pub use crate::addon::{AddonGuard, addon};
pub use crate::detached::is_open;
pub use crate::entered::{enter, exit};
pub use crate::gc::{GcGuard, collection_begins, collection_ends, gc};
pub use crate::guard::{
    CallbackGuard, ScopeGuard, TurnGuard, callback, callback_at, callback_quickly, depth,
    end_isolate, scope, scope_at, scope_quickly, turn, turn_at,
};
pub use crate::process::{is_on, report, tick, try_init};
pub use crate::seal::{action_of_sealed, handle_refused};

/// Whether the checks are compiled into this build.
pub const COMPILED_IN: bool = true;
