//! Looks up names on x86-64 Linux.
//!
//! Crate `backtrace` has two limits that matter here. It takes a lock, which another thread of the parent may have held when
//! this process was forked: then the lock is never released in the child. And it lists the shared objects once, so it knows
//! none that was loaded later, as add-ons are. A forked child therefore never calls it and reads every file by itself, and so
//! does any process for the shared objects that `backtrace` does not know.

mod debug_info;
mod shared_object;

use crate::fork::generation;
use crate::symbolize::symbol::{self, Symbol};

pub(crate) use shared_object::name_of as shared_object_of;

/// Whether a fork lies between this process and the one that started the checker.
fn is_forked_child() -> bool {
    generation::current() != 0
}

/// Passes each function at `ip` to `each`, innermost first: more than one if functions were inlined there.
pub(crate) fn symbols_at(ip: usize, mut each: impl FnMut(Symbol)) {
    let mut any = false;
    if !is_forked_child() {
        symbol::by_backtrace(ip, |symbol| {
            any = true;
            each(symbol);
        });
    }
    if !any {
        debug_info::symbols_at(ip, each);
    }
}

/// Frees the symbols that were read, tens of MiB for a large program. The next look-up reads them again.
pub(crate) fn forget_symbols() {
    if !is_forked_child() {
        symbol::forget_in_backtrace();
    }
    debug_info::forget();
}
