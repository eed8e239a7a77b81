//! Walks the stack of the calling thread on x86-64 Linux: by unwind tables, by frame pointers, or by both where each alone
//! would stop.

mod eh_frame;
mod exit;
mod frame_pointers;
mod loaded_code;
mod loaded_modules;
pub(crate) mod loaded_object;
mod signal_frame;
mod stack_memory;

pub(crate) use eh_frame::{frames_from, walk as walk_tables};
pub(crate) use exit::program_called_exit;
pub(crate) use frame_pointers::{may_be_same_stack, same_stack, walk as walk_frame_pointers};
pub(crate) use loaded_code::loaded;
pub(crate) use loaded_modules::function_start;
pub(crate) use stack_memory::Registers;

/// Describes capture by unwind tables in the start-up line.
pub(crate) const BY_TABLES: &str = "by unwind tables, and by frame pointers across JavaScript";
