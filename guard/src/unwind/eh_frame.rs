//! Walks the machine stack by unwind tables, across frames that have none.
//!
//! An engine's builtins and compiled JavaScript have no unwind tables, and end the walk of `_Unwind_Backtrace`. They do
//! keep frame pointers, as generated code must; framehop follows the tables where there are any, and the frame pointers
//! where there are not, so it comes out at the other side, whether or not the user's own code has frame pointers.
//!
//! Each thread keeps what it needs, made at its first walk. After that a walk takes no lock and does not allocate, as long as
//! the modules on the stack are those that were there.

use crate::unwind::loaded_modules::{Modules, Tables};
use crate::unwind::stack_memory::{Registers, StackBounds};
use crate::unwind::truncated::Truncated;
use framehop::{CacheNative, FrameAddress, MustNotAllocateDuringUnwind, Unwinder, UnwinderNative};
use std::cell::RefCell;

thread_local! {
    static WALKER: RefCell<Option<Box<Walker>>> = const { RefCell::new(None) };
}

/// Caches of a thread. In one of 509 entries, each address has one place, so with 32 frames two are more likely than not to
/// share theirs, and both are looked up in the tables at every walk.
const CACHES: usize = 4;

/// What one thread needs to walk its own stack.
struct Walker {
    unwinder: UnwinderNative<Tables, MustNotAllocateDuringUnwind>,
    caches: [CacheNative<MustNotAllocateDuringUnwind>; CACHES],
    modules: Modules,
}

/// Gives `frame` each instruction pointer from `registers` outwards, until it wants no more; then, what cut the walk short, if
/// anything did. `None` if the stack could not be walked at all: the thread is ending, or runs on a stack that is not its own.
pub(crate) fn walk(
    registers: Registers,
    mut frame: impl FnMut(usize) -> bool,
) -> Option<Option<Truncated>> {
    frames(registers, |ip, _| frame(ip))
}

/// As [`walk`], with the address at which each frame ends: below it, and above the end of the frame before, lies what the
/// function holds on the stack.
pub(crate) fn frames(
    registers: Registers,
    mut frame: impl FnMut(usize, usize) -> bool,
) -> Option<Option<Truncated>> {
    let stack = StackBounds::from(registers.sp)?;
    WALKER
        .try_with(|walker| {
            let mut walker = walker.try_borrow_mut().ok()?;
            let walker = walker.get_or_insert_with(|| Box::new(Walker::new()));
            Some(walker.frames(registers, stack, &mut frame))
        })
        .ok()
        .flatten()
}

impl Walker {
    fn new() -> Self {
        let mut unwinder = UnwinderNative::new();
        let modules = Modules::each(|module| unwinder.add_module(module));
        Self {
            unwinder,
            caches: std::array::from_fn(|_| CacheNative::new_in()),
            modules,
        }
    }

    fn frames(
        &mut self,
        registers: Registers,
        stack: StackBounds,
        frame: &mut impl FnMut(usize, usize) -> bool,
    ) -> Option<Truncated> {
        let mut read = |address: u64| {
            let word = usize::try_from(address).ok().and_then(|at| stack.word(at));
            word.map(|word| word as u64).ok_or(())
        };
        let mut registers = framehop::UnwindRegsNative::new(
            registers.ip as u64,
            registers.sp as u64,
            registers.fp as u64,
        );
        let mut at = FrameAddress::from_instruction_pointer(registers.ip());
        loop {
            let lookup = at.address_for_lookup();
            if !self.modules.still_has(lookup as usize) {
                // An add-on was loaded, or was unloaded and something else lies there.
                *self = Self::new();
            }
            let cache = &mut self.caches[lookup as usize / 509 % CACHES];
            let caller = self
                .unwinder
                .unwind_frame(at, &mut registers, cache, &mut read);
            let end = match caller {
                Ok(Some(_)) => registers.sp() as usize,
                _ => stack.end(),
            };
            if !frame(at.address() as usize, end) {
                return None;
            }
            at = match caller {
                Ok(Some(back)) => FrameAddress::from_return_address(back)?,
                Ok(None) | Err(framehop::Error::ReturnAddressIsNull) => return None,
                Err(framehop::Error::CouldNotReadStack(_)) => return Some(Truncated::LeftTheStack),
                Err(_) => return Some(Truncated::NoWay),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cuts a walk short that starts in code without a table.
    fn without_a_table(fp: usize) -> Option<Truncated> {
        let registers = Registers {
            ip: 0x1000,
            fp,
            ..Registers::here()
        };
        let mut frames = 0;
        let cut = walk(registers, |_| {
            frames += 1;
            true
        });
        assert_eq!(frames, 1);
        cut.expect("on this thread's own stack")
    }

    #[test]
    fn a_walk_to_the_threads_start_is_whole() {
        let mut frames = 0;
        let cut = walk(Registers::here(), |_| {
            frames += 1;
            true
        });
        assert_eq!(cut, Some(None));
        assert!(frames > 5, "{frames}");
    }

    #[test]
    fn a_walk_says_where_it_cannot_go_on() {
        let sp = Registers::here().sp & !15;
        assert_eq!(
            without_a_table(sp + (1 << 40)),
            Some(Truncated::LeftTheStack)
        );
        assert_eq!(
            without_a_table(sp - 4096),
            Some(Truncated::NoWay),
            "backwards"
        );
    }
}
