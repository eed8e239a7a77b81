//! The machine stack of the calling thread: its bounds, the registers that a walk starts from, and its words.
#![expect(unsafe_code, reason = "reads the machine stack")]

use std::arch::asm;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// The registers that a walk starts from.
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    pub(crate) ip: usize,
    pub(crate) sp: usize,
    pub(crate) fp: usize,
}

impl Registers {
    /// Of the function that this is inlined into, which must live as long as the walk.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let (ip, sp, fp);
        // SAFETY: copies three registers; touches no memory, no flags and no stack.
        unsafe {
            asm!(
                "lea {ip}, [rip]",
                "mov {sp}, rsp",
                "mov {fp}, rbp",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { ip, sp, fp }
    }
}

/// The part of the calling thread's stack that is in use: from a stack pointer to the stack's end.
#[derive(Clone, Copy)]
pub(crate) struct StackBounds {
    start: usize,
    end: usize,
}

impl StackBounds {
    /// From `sp` on. `None` if that is not on the stack that the thread was given: it runs on one of its own making.
    pub(crate) fn from(sp: usize) -> Option<Self> {
        let Range { start, end } = bounds()?;
        (start..end - size_of::<[usize; 2]>())
            .contains(&sp)
            .then_some(Self { start: sp, end })
    }

    /// Where it ends.
    #[inline]
    pub(crate) fn end(self) -> usize {
        self.end
    }

    /// The two words at `address`, if it is aligned and they lie in here.
    #[inline(always)]
    pub(crate) fn pair(self, address: usize) -> Option<[usize; 2]> {
        // One branch: it is the step of the quick walk.
        let last = self.end - size_of::<[usize; 2]>() - self.start;
        let offset = address.wrapping_sub(self.start);
        if (offset > last) | (address & (align_of::<usize>() - 1) != 0) {
            return None;
        }
        // SAFETY: as in `word`, for two words.
        Some(unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) })
    }

    /// The word at `address`, if it is aligned and lies in here.
    #[inline]
    pub(crate) fn word(self, address: usize) -> Option<usize> {
        let last = self.end - size_of::<usize>();
        if !address.is_multiple_of(align_of::<usize>()) || address < self.start || address > last {
            return None;
        }
        // SAFETY: aligned, and between this thread's stack pointer and the end of its stack, which is mapped and
        // initialised: only this thread writes it, and it is here. Volatile, for no Rust object is meant.
        Some(unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) })
    }
}

/// The bounds of the calling thread's stack, which the system is asked for once.
fn bounds() -> Option<Range<usize>> {
    thread_local! {
        static BOUNDS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }
    // It has no destructor: there as long as the thread is.
    let (start, end) = BOUNDS.get();
    if end != 0 {
        return Some(start..end);
    }
    let asked = ask_for_bounds()?;
    BOUNDS.set((asked.start, asked.end));
    Some(asked)
}

#[cold]
fn ask_for_bounds() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::uninit();
    let mut base = ptr::null_mut();
    let mut size = 0;
    // SAFETY: asks for the calling thread's own attributes, which are valid after the first call succeeded and destroyed
    // once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let got = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut base, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if got != 0 {
            return None;
        }
    }
    Some(base.addr()..base.addr() + size)
}
