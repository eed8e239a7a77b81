//! The frame that the kernel puts on the stack below a signal handler.
//!
//! ```text
//!   handler             returns to the trampoline
//!   signal frame        `struct ucontext`: the registers of the interrupted function, and more
//!   interrupted         was about to execute the instruction at `rip`
//! ```
//!
//! The trampoline is two instructions of the C library that call `rt_sigreturn`. glibc's has an unwind table of expressions that
//! read memory, which framehop does not evaluate; musl's has none. So it is recognised by its bytes, as gdb and libgcc do
//! (`config/i386/linux-unwind.h`), and the registers are read where the kernel has stored them.
//!
//! A handler may run on a stack of its own (`sigaltstack`). The walk then goes on on the stack that was interrupted.

use super::stack_memory::{Registers, StackBounds};

/// `mov $__NR_rt_sigreturn, %rax; syscall`.
pub(super) const TRAMPOLINE: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// Offsets in `struct ucontext` (`asm/ucontext.h`, `asm/sigcontext.h`), which never change, for programs rely on them.
const ALTERNATE_START: usize = 16;
const ALTERNATE_SIZE: usize = 32;
const RBP: usize = 120;
const RSP: usize = 160;
const RIP: usize = 168;

/// Returns the registers of the interrupted function, and its stack from there on, for a handler that has returned to the
/// trampoline, with the stack pointer `sp` then. Returns `None` if the function ran on a stack that is unknown.
pub(super) fn interrupted(stack: StackBounds, sp: usize) -> Option<(Registers, StackBounds)> {
    let word = |offset| stack.word(sp.checked_add(offset)?);
    let registers = Registers {
        ip: word(RIP)?,
        sp: word(RSP)?,
        fp: word(RBP)?,
    };
    let outer = match stack.higher(registers.sp) {
        Some(outer) => outer,
        // The kernel has stored which alternate stack was set: a last proof that this is a signal's frame.
        None if stack.is_alternate(word(ALTERNATE_START)?, word(ALTERNATE_SIZE)?) => {
            StackBounds::from(registers.sp)?
        }
        None => return None,
    };
    Some((registers, outer))
}

#[cfg(test)]
#[expect(unsafe_code, reason = "has signals delivered")]
mod tests {
    use super::super::eh_frame::{frames_from, walk};
    use super::super::loaded_modules::function_start;
    use super::*;
    use crate::fork::mutex::ForkMutex;
    use crate::unwind::truncated::Truncated;
    use std::arch::naked_asm;
    use std::cell::RefCell;
    use std::ffi::{c_int, c_void};
    use std::mem::{self, MaybeUninit};
    use std::ptr;

    type Interrupted = extern "C" fn();

    const LEN_OF_UD2: i64 = 2;

    /// Is interrupted at its first instruction, so the byte before is another function's.
    #[unsafe(naked)]
    extern "C" fn at_its_start() {
        naked_asm!(".cfi_startproc", "ud2", "ret", ".cfi_endproc")
    }

    /// Is interrupted while it has a stack frame and no frame pointer.
    #[unsafe(naked)]
    extern "C" fn in_its_middle() {
        naked_asm!(
            ".cfi_startproc",
            "sub rsp, 24",
            ".cfi_adjust_cfa_offset 24",
            "ud2",
            "add rsp, 24",
            ".cfi_adjust_cfa_offset -24",
            "ret",
            ".cfi_endproc",
        )
    }

    const OFFSET_IN_ITS_MIDDLE: usize = 4;

    /// `push rbp; mov rbp, rsp; sub rsp, 32; ud2; leave; ret`: code without a table, as compiled JavaScript is.
    const WITHOUT_A_TABLE: [u8; 12] = [
        0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20, 0x0f, 0x0b, 0xc9, 0xc3,
    ];

    const OFFSET_WITHOUT_A_TABLE: usize = 8;

    /// Calls the function that is interrupted. Returns an address in its own stack frame, from outside that function.
    #[inline(never)]
    extern "C" fn call(interrupted: Interrupted) {
        // Not the address of a local, which AddressSanitizer puts elsewhere.
        let here = Registers::here().sp;
        SEEN.with_borrow_mut(|seen| seen.in_caller = here);
        interrupted();
        std::hint::black_box(here);
    }

    /// What the handler saw on its thread.
    #[derive(Default)]
    struct Seen {
        in_caller: usize,
        handler: usize,
        ips: Vec<usize>,
        end: Option<Option<Truncated>>,
        from_caller: Vec<usize>,
    }

    thread_local! {
        static SEEN: RefCell<Seen> = RefCell::default();
    }

    extern "C" fn handler(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // Handlers of instructions may do what the interrupted code may; none of it was in the middle of an allocation.
        SEEN.with_borrow_mut(|seen| {
            seen.handler = Registers::here().sp;
            seen.ips.clear();
            seen.end = walk(Registers::here(), |ip| {
                seen.ips.push(ip);
                true
            });
            seen.from_caller = frames_from(seen.in_caller, usize::MAX);
        });
        // SAFETY: the kernel passes both, for the time of the call. The instruction is the `ud2` of a function above, if no
        // process has sent the signal.
        unsafe {
            if (*info).si_code > 0 {
                let context = context.cast::<libc::ucontext_t>();
                (*context).uc_mcontext.gregs[libc::REG_RIP as usize] += LEN_OF_UD2;
            }
        }
    }

    /// One test at a time sets what SIGILL does.
    static SIGILL: ForkMutex<()> = ForkMutex::new();

    /// Runs `interrupted` while `handler` handles SIGILL: on an alternate stack or not.
    fn interrupt(on_alternate: bool, interrupted: Interrupted) -> Seen {
        let mut memory = vec![0u8; 1 << 18];
        let stack = libc::stack_t {
            ss_sp: memory.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: memory.len(),
        };
        SIGILL.with(|()| {
            // SAFETY: the handler only changes the context that is its own; the stack outlives its use, for the one before is
            // set again.
            unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                action.sa_sigaction = handler as *const () as usize;
                action.sa_flags =
                    libc::SA_SIGINFO | if on_alternate { libc::SA_ONSTACK } else { 0 };
                let mut before = MaybeUninit::uninit();
                let mut stack_before = MaybeUninit::uninit();
                libc::sigaction(libc::SIGILL, &raw const action, before.as_mut_ptr());
                libc::sigaltstack(&raw const stack, stack_before.as_mut_ptr());
                call(interrupted);
                libc::sigaltstack(stack_before.as_ptr(), ptr::null_mut());
                libc::sigaction(libc::SIGILL, before.as_ptr(), ptr::null_mut());
            }
        });
        let seen = SEEN.take();
        assert_eq!(
            memory
                .as_ptr_range()
                .contains(&ptr::with_exposed_provenance(seen.handler)),
            on_alternate
        );
        seen
    }

    /// Asserts that the walk from the handler came to `call` right after the instruction at `ip`, if that is known, and to the
    /// thread's start.
    fn assert_crossed(seen: &Seen, ip: Option<usize>) {
        assert_eq!(seen.end, Some(None), "{:x?}", seen.ips);
        let is_call = |&ip: &usize| function_start(ip) == Some((call as *const ()).addr());
        let caller = seen.ips.iter().position(is_call);
        let caller = caller.unwrap_or_else(|| panic!("not in {:x?}", seen.ips));
        if let Some(ip) = ip {
            assert_eq!(seen.ips[caller - 1], ip + 1, "{:x?}", seen.ips);
            let trampoline = seen.ips[caller - 2] - 1;
            let bytes: [u8; 9] =
                // SAFETY: in the code of the C library.
                unsafe { ptr::read(ptr::with_exposed_provenance(trampoline)) };
            assert_eq!(bytes, TRAMPOLINE);
        }
        let is_interrupt =
            |&ip: &usize| function_start(ip) == Some((interrupt as *const ()).addr());
        assert!(seen.ips[caller..].iter().any(is_interrupt));
        assert_eq!(
            seen.from_caller,
            seen.ips[caller..],
            "from the frame of `call`"
        );
    }

    #[test]
    fn a_walk_from_a_handler_comes_to_the_function_that_an_instruction_interrupted() {
        for on_alternate in [false, true] {
            let seen = interrupt(on_alternate, at_its_start);
            assert_crossed(&seen, Some((at_its_start as *const ()).addr()));
            let seen = interrupt(on_alternate, in_its_middle);
            let start = (in_its_middle as *const ()).addr();
            assert_crossed(&seen, Some(start + OFFSET_IN_ITS_MIDDLE));
        }
    }

    #[test]
    fn a_walk_from_a_handler_comes_to_code_without_a_table() {
        // SAFETY: the mapping is new, and holds a function of that signature once it is written.
        let code: Interrupted = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let page = libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0);
            assert_ne!(page, libc::MAP_FAILED);
            ptr::write(page.cast(), WITHOUT_A_TABLE);
            mem::transmute::<*mut c_void, Interrupted>(page)
        };
        for on_alternate in [false, true] {
            let seen = interrupt(on_alternate, code);
            let start = (code as *const ()).addr();
            assert_crossed(&seen, Some(start + OFFSET_WITHOUT_A_TABLE));
        }
    }

    #[test]
    fn a_walk_from_a_handler_comes_to_the_function_that_raised_the_signal() {
        extern "C" fn raise() {
            // SAFETY: the handler of the signal changes nothing.
            unsafe { libc::raise(libc::SIGILL) };
        }
        for on_alternate in [false, true] {
            assert_crossed(&interrupt(on_alternate, raise), None);
        }
    }

    #[test]
    fn registers_that_lie_elsewhere_are_not_followed() {
        let context = |rsp: usize| {
            let mut words = [0usize; 32];
            words[RSP / 8] = rsp;
            words[RIP / 8] = 0x1000;
            let sp = words.as_ptr().addr();
            let stack = StackBounds::from(Registers::here().sp).unwrap();
            interrupted(stack, sp).map(|(registers, _)| registers.sp)
        };
        let higher = StackBounds::from(Registers::here().sp).unwrap().end() - 64;
        assert_eq!(context(higher), Some(higher));
        assert_eq!(context(0), None);
        assert_eq!(context(Registers::here().sp - 4096), None, "backwards");
        assert_eq!(
            context(higher + (1 << 40)),
            None,
            "on no stack of this thread"
        );
    }
}
