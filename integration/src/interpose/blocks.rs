//! V8's blocks of handles: how many handles each holds, and when one begins.
//!
//! V8 keeps the handles of all open scopes in blocks of `kHandleBlockSize` (`handle-scope-implementer.h`; 1,022 in V8 15).
//! `HandleScope::Extend` begins one where the last is full, and only moves `limit` where a `SealHandleScope` had cut it off
//! (`handles.cc`). The number of handles distinguishes the two: all blocks but the last are full (`HandleScope::NumberOfHandles`).
//!
//! The size is found in the process itself, and proved: `limit` stands as many words behind the first handle of a new block as the
//! number of handles there is a multiple of.

use super::real;
use crate::ffi::{self, ScopeBuffer};
use crate::isolate::LiveV8;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size found, in handles; 0 before it was looked for, and [`UNKNOWN`] where it could not be proved.
static SIZE: AtomicU64 = AtomicU64::new(0);

const UNKNOWN: u64 = u64::MAX;

/// The greatest size that is looked for.
const MAX_SIZE: u64 = 1 << 16;

/// Whether V8 is about to begin a block for a handle of `isolate`: its index, from 0, and how many handles a block holds. `None` too
/// where that is not known. To be called in `Extend`. Makes no handle.
pub(crate) fn begins(isolate: LiveV8<'_>) -> Option<(u64, u64)> {
    let size = SIZE.load(Ordering::Relaxed);
    if matches!(size, 0 | UNKNOWN) {
        return None;
    }
    let handles = isolate.handles()?;
    handles
        .is_multiple_of(size)
        .then_some((handles / size, size))
}

/// Finds the size, in a scope that it opens in `isolate`, by filling a block. Prints that `scope-growth` is off if that fails. The scope
/// goes past the hooks.
pub(crate) fn find_size(isolate: LiveV8<'_>) {
    if SIZE.load(Ordering::Relaxed) != 0 {
        return;
    }
    let mut scope = ScopeBuffer::default();
    // SAFETY: the isolate is live and this thread's (`LiveV8`). The buffer has room, stays where it is until it is destroyed below,
    // and nothing else opens a scope meanwhile.
    let size = unsafe {
        real::construct_unhooked(&raw mut scope, isolate.as_raw());
        let size = size_of_new_block(isolate);
        real::destruct_unhooked(&raw mut scope);
        size
    };
    SIZE.store(size.unwrap_or(UNKNOWN), Ordering::Relaxed);
    if size.is_none() {
        handleguard::warn(
            "`scope-growth` is off: the size of this V8's blocks of handles could not be proved",
        );
    }
}

/// Makes handles until a block begins.
///
/// # Safety
///
/// The innermost scope of `isolate` is the caller's, and may be filled.
unsafe fn size_of_new_block(isolate: LiveV8<'_>) -> Option<u64> {
    let word = size_of::<usize>();
    for _ in 0..=MAX_SIZE {
        let before = isolate.cursor()?;
        // SAFETY: the isolate is live and this thread's (`LiveV8`); the handle goes into the caller's scope, as this function
        // requires. `v8__Undefined` returns a root's slot, which outlives the call (the v8 crate's `binding.cc`).
        unsafe {
            ffi::v8__Local__New(isolate.as_raw(), ffi::v8__Undefined(isolate.as_raw()));
        }
        let after = isolate.cursor()?;
        if before.next == before.limit {
            // The new handle is the first of its block.
            let size = (after.limit.checked_sub(after.next)? / word) as u64 + 1;
            let is_proved = isolate.handles()? % size == 1;
            return (size > 1 && is_proved).then_some(size);
        }
    }
    None
}
