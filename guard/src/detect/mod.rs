//! The first step of a violation: the verdicts.
//!
//! Each verdict is a pure function. It takes the state of the engine as an argument and returns a
//! [`Finding`](crate::describe::finding::Finding), if something is wrong.
//!
//! A rule is three files: its verdict here, its words in `describe/rules/<rule>.rs`, its tests in `tests/rules/<rule>.rs`. All
//! paths are in `guard/src/`; the table's are in this folder, but for the one of `record/`.
//!
//! | rule | verdict | file |
//! |---|---|---|
//! | `missing-scope` | [`ScopeStack::begin_callback`] | `stack/callbacks.rs` |
//! | `outer-growth` | [`ScopeStack::end_callback`], [`ScopeStack::end_turn`] | `stack/handles.rs` |
//! | `outer-growth`, no turn is marked | [`ScopeStack::infer_turn`] | `stack/inferred_turns.rs` |
//! | `scope-budget` | [`ScopeStack::over_budget`] | `stack/budget.rs` |
//! | `scope-growth` | [`ScopeStack::scope_growth`] | `stack/blocks.rs`, `filling.rs` |
//! | `sealed` | [`ScopeStack::refused`] | `stack/sealed.rs` |
//! | `out-of-order` | [`ScopeStack::close_scope`] | `stack/order.rs` |
//! | `out-of-order`, the scope has no guard | [`ScopeStack::destruct_scope`], [`ScopeStack::destruct_try_catch`] | `stack/storage.rs` |
//! | `never-closed` | [`ScopeStack::end_turn`], [`ScopeStack::leave_isolate`], [`ScopeStack::end_isolate`] | `stack/ends.rs` |
//! | `never-closed`, the memory is reused | [`ScopeStack::claim_storage`] | `stack/storage.rs` |
//! | `wrong-thread`, `wrong-isolate` | [`isolate::judge`] | `isolate.rs` |
//! | `in-gc` | [`ScopeStack::in_gc`] | `stack/gc.rs` |
//! | `redundant-scope`, the use of one scope | [`ScopeStack::innermost_stats`] | `stack/holdings.rs` |
//! | `redundant-scope`, all scopes of a place | [`HighWater::newly_redundant`] | `record/high_water.rs` |
//! | `global-growth`, at a tick | [`ScopeStack::look_at_persistent_handles`] | `stack/growth.rs` |
//! | `global-growth`, of a life | [`ScopeStack::judge_persistent_handles`] | `stack/growth.rs` |
//! | `desync` | [`ScopeStack::resync`] | `stack/resync.rs` |
//!
//! [`ScopeStack`]: stack::ScopeStack
//! [`ScopeStack::begin_callback`]: stack::ScopeStack::begin_callback
//! [`ScopeStack::end_callback`]: stack::ScopeStack::end_callback
//! [`ScopeStack::end_turn`]: stack::ScopeStack::end_turn
//! [`ScopeStack::infer_turn`]: stack::ScopeStack::infer_turn
//! [`ScopeStack::over_budget`]: stack::ScopeStack::over_budget
//! [`ScopeStack::scope_growth`]: stack::ScopeStack::scope_growth
//! [`ScopeStack::refused`]: stack::ScopeStack::refused
//! [`ScopeStack::close_scope`]: stack::ScopeStack::close_scope
//! [`ScopeStack::destruct_scope`]: stack::ScopeStack::destruct_scope
//! [`ScopeStack::destruct_try_catch`]: stack::ScopeStack::destruct_try_catch
//! [`ScopeStack::leave_isolate`]: stack::ScopeStack::leave_isolate
//! [`ScopeStack::end_isolate`]: stack::ScopeStack::end_isolate
//! [`ScopeStack::claim_storage`]: stack::ScopeStack::claim_storage
//! [`ScopeStack::in_gc`]: stack::ScopeStack::in_gc
//! [`ScopeStack::innermost_stats`]: stack::ScopeStack::innermost_stats
//! [`HighWater::newly_redundant`]: crate::record::high_water::HighWater::newly_redundant
//! [`ScopeStack::look_at_persistent_handles`]: stack::ScopeStack::look_at_persistent_handles
//! [`ScopeStack::judge_persistent_handles`]: stack::ScopeStack::judge_persistent_handles
//! [`ScopeStack::resync`]: stack::ScopeStack::resync

pub(crate) mod blocks;
pub(crate) mod filling;
pub(crate) mod isolate;
pub(crate) mod outermost;
pub(crate) mod stack;
