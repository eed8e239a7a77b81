//! The API of builds with checks. Its twin is [`off`](crate::switch::off).

pub use crate::guards::addon::{AddonGuard, addon};
pub use crate::guards::callback::{
    CallbackGuard, callback, callback_at, callback_fast, checkpoint, checkpoint_at,
};
pub use crate::guards::gc::{GcGuard, collection_begins, collection_ends, gc};
pub use crate::guards::isolate::{end_isolate, enter, exit};
pub use crate::guards::scope::{ScopeGuard, depth, scope, scope_at, scope_fast};
pub use crate::guards::seal::handle_refused;
pub use crate::guards::token::is_open;
pub use crate::guards::turn::{TurnGuard, turn, turn_at, turn_in_no_isolate};
pub use crate::process::global::action_of_sealed;
pub use crate::process::global::{flush, is_on, report, tick, try_init};

/// Whether the checks are compiled into this build.
pub const COMPILED_IN: bool = true;
