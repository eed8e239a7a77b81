//! Walks a stack by unwind tables, and by frame pointers across frames that have no table.
//!
//! An engine's builtins and compiled JavaScript have no unwind tables and end the walk of `_Unwind_Backtrace`. They keep
//! frame pointers, as generated code must. framehop follows a table where there is one and the frame pointer where there is
//! none, so it gets across JavaScript whether or not the user's own code keeps frame pointers.
//!
//! At a signal's frame, the walk goes on in the function that the signal interrupted.
//!
//! Each thread builds its walker at its first walk. Later walks take no lock, and allocate only when they come to a module
//! for the first time.

use super::loaded_modules::{Modules, Seen, Tables};
use super::signal_frame::{self, TRAMPOLINE};
use super::stack_memory::{Registers, StackBounds};
use crate::unwind::truncated::Truncated;
use framehop::{CacheNative, FrameAddress, MustNotAllocateDuringUnwind, Unwinder, UnwinderNative};
use std::cell::RefCell;
use std::ops::Range;

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
/// it runs on a stack that is neither its own nor that of its signal handlers.
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
    frames(Registers::here(), |ip, memory| {
        if !ips.is_empty() || memory.contains(&stack) {
            ips.push(ip);
        }
        ips.len() < max
    });
    ips
}

/// As [`walk`], and passes the memory of each frame too.
fn frames(
    registers: Registers,
    mut frame: impl FnMut(usize, Range<usize>) -> bool,
) -> Option<Option<Truncated>> {
    let stack = StackBounds::from_any(registers.sp)?;
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

    /// Makes the module at `at` known to the unwinder. Returns whether the C library's signal trampoline is there.
    #[inline]
    fn learn_module(&mut self, at: FrameAddress) -> bool {
        let address = at.address_for_lookup() as usize;
        match self.modules.look_up(address) {
            Seen::Permanent => return false,
            Seen::Known => {}
            Seen::New(module) => self.unwinder.add_module(module),
            Seen::Changed => {
                *self = Self::new();
                if let Seen::New(module) = self.modules.look_up(address) {
                    self.unwinder.add_module(module);
                }
            }
        }
        self.modules.has_code(at.address() as usize, &TRAMPOLINE)
    }

    fn frames(
        &mut self,
        registers: Registers,
        mut stack: StackBounds,
        frame: &mut impl FnMut(usize, Range<usize>) -> bool,
    ) -> Option<Truncated> {
        let mut registers = unwind_registers(registers);
        let mut at = FrameAddress::from_instruction_pointer(registers.ip());
        loop {
            let start = registers.sp() as usize;
            if self.learn_module(at) {
                let interrupted = signal_frame::interrupted(stack, start);
                let end = interrupted.map_or(stack.end(), |(outer, _)| outer.sp);
                if !frame(
                    like_return_address(at.address()).address() as usize,
                    start..end,
                ) {
                    return None;
                }
                let Some((outer, on)) = interrupted else {
                    return Some(Truncated::LeftTheStack);
                };
                stack = on;
                registers = unwind_registers(outer);
                at = like_return_address(outer.ip as u64);
                continue;
            }
            let lookup = at.address_for_lookup();
            let cache = &mut self.caches[lookup as usize / 509 % CACHES];
            let mut read = |address: u64| {
                let word = usize::try_from(address).ok().and_then(|at| stack.word(at));
                word.map(|word| word as u64).ok_or(())
            };
            let caller = self
                .unwinder
                .unwind_frame(at, &mut registers, cache, &mut read);
            let end = match caller {
                Ok(Some(_)) => registers.sp() as usize,
                _ => stack.end(),
            };
            if !frame(at.address() as usize, start..end) {
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

fn unwind_registers(registers: Registers) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(
        registers.ip as u64,
        registers.sp as u64,
        registers.fp as u64,
    )
}

/// Returns an address that stands for the instruction at `ip` where a return address is expected: tables and names are looked
/// up for the byte before it.
fn like_return_address(ip: u64) -> FrameAddress {
    let after = ip.wrapping_add(1);
    FrameAddress::from_return_address(after).unwrap_or(FrameAddress::from_instruction_pointer(ip))
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
