//! Walks a stack by unwind tables, and by frame pointers across frames that have no table.
//!
//! An engine's builtins and compiled JavaScript have no unwind tables and end the walk of `_Unwind_Backtrace`. They keep
//! frame pointers, as generated code must. framehop follows a table where there is one and the frame pointer where there is
//! none, so it gets across JavaScript whether or not the user's own code keeps frame pointers.
//!
//! Each thread builds its walker at its first walk. Later walks take no lock, and allocate only when they come to a module
//! for the first time.

use super::loaded_modules::{Modules, Seen, Tables};
use super::stack_memory::{Registers, StackBounds};
use crate::unwind::truncated::Truncated;
use framehop::{CacheNative, FrameAddress, MustNotAllocateDuringUnwind, Unwinder, UnwinderNative};
use std::cell::RefCell;

thread_local! {
    static WALKER: RefCell<Option<Box<Walker>>> = const { RefCell::new(None) };
}

/// How many caches a thread has. A cache has 509 slots and an address fits into one of them, so of 32 frames two are more
/// likely than not to need the same slot; both are then looked up in the tables at every walk.
const CACHES: usize = 4;

/// The state that one thread needs to walk its own stack.
struct Walker {
    unwinder: UnwinderNative<Tables, MustNotAllocateDuringUnwind>,
    caches: [CacheNative<MustNotAllocateDuringUnwind>; CACHES],
    modules: Modules,
}

/// Passes each instruction pointer from `registers` outwards to `frame`, until that returns `false`.
///
/// Returns why the walk ended early, if it did. Returns `None` if the stack cannot be walked at all: the thread is ending, or
/// it runs on a stack that is not its own.
pub(crate) fn walk(
    registers: Registers,
    mut frame: impl FnMut(usize) -> bool,
) -> Option<Option<Truncated>> {
    frames(registers, |ip, _| frame(ip))
}

/// Returns the instruction pointers of at most `max` frames, from the frame outwards that holds the address `stack`. Returns
/// none if the function of that frame has returned.
pub(crate) fn frames_from(stack: usize, max: usize) -> Vec<usize> {
    let mut ips = Vec::new();
    let registers = Registers::here();
    if stack < registers.sp {
        return ips;
    }
    frames(registers, |ip, end| {
        if end > stack {
            ips.push(ip);
        }
        ips.len() < max
    });
    ips
}

/// As [`walk`], and passes the address at which each frame ends too. The memory of a frame lies below its end, and above the
/// end of the frame before it.
fn frames(
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
        let modules = Modules::new(|module| unwinder.add_module(module));
        Self {
            unwinder,
            caches: std::array::from_fn(|_| CacheNative::new_in()),
            modules,
        }
    }

    /// Makes the module at `address` known to the unwinder.
    #[inline]
    fn learn_module(&mut self, address: usize) {
        match self.modules.look_up(address) {
            Seen::Known => {}
            Seen::New(module) => self.unwinder.add_module(module),
            Seen::Changed => {
                *self = Self::new();
                if let Seen::New(module) = self.modules.look_up(address) {
                    self.unwinder.add_module(module);
                }
            }
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
            self.learn_module(lookup as usize);
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

    /// Returns why a walk ends that starts in code without a table, with the frame pointer `fp`.
    fn end_of_walk_from(fp: usize) -> Option<Truncated> {
        let registers = Registers {
            ip: 0x1000,
            fp,
            ..Registers::here()
        };
        let mut frames = 0;
        let truncated = walk(registers, |_| {
            frames += 1;
            true
        });
        assert_eq!(frames, 1);
        truncated.expect("on this thread's own stack")
    }

    #[test]
    fn a_walk_to_the_threads_start_is_whole() {
        let mut frames = 0;
        let truncated = walk(Registers::here(), |_| {
            frames += 1;
            true
        });
        assert_eq!(truncated, Some(None));
        assert!(frames > 5, "{frames}");
    }

    #[test]
    fn a_walk_that_cannot_go_on_returns_why() {
        let sp = Registers::here().sp & !15;
        assert_eq!(
            end_of_walk_from(sp + (1 << 40)),
            Some(Truncated::LeftTheStack)
        );
        assert_eq!(
            end_of_walk_from(sp - 4096),
            Some(Truncated::NoWay),
            "backwards"
        );
    }
}
