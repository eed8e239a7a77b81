//! The memory of the calling thread's stack: its bounds, its words, and the registers that a walk starts from.
#![expect(unsafe_code, reason = "reads the thread's stack")]

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
    /// Reads the registers of the function that this is inlined into, which must not return before the walk ends.
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

/// The part of a stack of the calling thread that is in use: from a stack pointer to the stack's end.
#[derive(Clone, Copy)]
pub(crate) struct StackBounds {
    start: usize,
    end: usize,
}

impl StackBounds {
    /// The part from the stack pointer `sp` on. Returns `None` if `sp` is not on the stack that the system gave the thread:
    /// the program has switched stacks.
    pub(crate) fn from(sp: usize) -> Option<Self> {
        Self::within(bounds(), sp)
    }

    fn within(stack: Range<usize>, sp: usize) -> Option<Self> {
        let Range { start, end } = stack;
        let two_words = size_of::<[usize; 2]>();
        let holds = start <= sp && sp < end.saturating_sub(two_words);
        holds.then_some(Self { start: sp, end })
    }

    /// As [`from`](Self::from), and `sp` may also be on the stack that the program has set for its signal handlers.
    pub(crate) fn from_any(sp: usize) -> Option<Self> {
        Self::from(sp).or_else(|| Self::within(alternate_stack()?, sp))
    }

    /// Returns the part of this stack from `sp` on. Returns `None` unless `sp` lies in this part, and higher.
    pub(crate) fn higher(self, sp: usize) -> Option<Self> {
        Self::within(self.start + 1..self.end, sp)
    }

    /// Whether this is a part of the alternate stack that has these `size` bytes from `start`.
    pub(crate) fn is_alternate(self, start: usize, size: usize) -> bool {
        start < self.start && start.checked_add(size) == Some(self.end)
    }

    /// Returns the first address above the stack.
    #[inline]
    pub(crate) fn end(self) -> usize {
        self.end
    }

    /// Reads the two words at `address`. Returns `None` unless it is aligned and both lie in this part of the stack.
    #[inline(always)]
    pub(crate) fn pair(self, address: usize) -> Option<[usize; 2]> {
        // One branch: this is each step of the walk by frame pointers.
        let last = self.end - size_of::<[usize; 2]>() - self.start;
        let offset = address.wrapping_sub(self.start);
        if (offset > last) | (address & (align_of::<usize>() - 1) != 0) {
            return None;
        }
        // SAFETY: `address` is aligned, and the check above puts both words between `start` and `end`. That they may be read
        // is argued at `word`.
        Some(unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) })
    }

    /// Reads the word at `address`. Returns `None` unless it is aligned and lies in this part of the stack.
    #[inline]
    pub(crate) fn word(self, address: usize) -> Option<usize> {
        let last = self.end - size_of::<usize>();
        if !address.is_multiple_of(align_of::<usize>()) || address < self.start || address > last {
            return None;
        }
        // SAFETY: `address` is aligned and lies between the stack pointer of a function that has not returned, which is in the
        // stack by the checks in `from`, `from_any` and `higher`, and the end of the stack; all of that is mapped for as
        // long as the function runs. The word need not belong to
        // any live object: it may be padding, and another thread may write it meanwhile, if this thread lent it a local. As
        // every unwinder does, this read goes below what the language defines. It is volatile, so the compiler draws no
        // conclusion from the value; an aligned word cannot fault or tear on this target; and a wrong word only makes the
        // walk wrong or short, for each address is checked here before it is read.
        Some(unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) })
    }
}

/// Returns the bounds of the calling thread's stack. Asks the system at the first call on each thread.
fn bounds() -> Range<usize> {
    thread_local! {
        static BOUNDS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }
    // It has no destructor, so it can be read as long as the thread runs.
    let (start, end) = BOUNDS.get();
    if end != 0 {
        return start..end;
    }
    // Where nothing is known of the stack, it holds no address, and the system is not asked again.
    let asked = ask_for_bounds().or_else(bounds_of_main).unwrap_or(1..1);
    BOUNDS.set((asked.start, asked.end));
    asked
}

/// Returns the stack that the program has set for its signal handlers, while one of them runs on it.
#[cold]
fn alternate_stack() -> Option<Range<usize>> {
    let mut stack = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: sets nothing, and initialises `stack` when it returns 0; only then it is read.
    let stack = unsafe {
        if libc::sigaltstack(ptr::null(), stack.as_mut_ptr()) != 0 {
            return None;
        }
        stack.assume_init()
    };
    let start = stack.ss_sp.addr();
    (stack.ss_flags & libc::SS_ONSTACK != 0).then(|| start..start + stack.ss_size)
}

#[cold]
fn ask_for_bounds() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::uninit();
    let mut base = ptr::null_mut();
    let mut size = 0;
    // SAFETY: `pthread_getattr_np` initialises `attributes` when it returns 0; only then they are read, and destroyed once.
    // The thread is the calling one, so it is alive.
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

/// Returns the bounds of the main thread's stack, without `/proc/self/maps`, which glibc reads for them: a process in a chroot
/// or a sandbox may have none. glibc answers for every other thread without it.
fn bounds_of_main() -> Option<Range<usize>> {
    /// The kernel places no mapping of its own choice within this distance below the stack (`arch/x86/mm/mmap.c`, `SIZE_128M`).
    const GAP: usize = 128 << 20;
    const PAGE: usize = 4096;
    // SAFETY: looks up a symbol by its name, a string that ends with 0.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: a variable of glibc's dynamic linker, `void *`, set once before the program starts.
    let end: usize = unsafe { ptr::read(symbol.cast()) };
    // The variable points into the stack, at what the kernel put there for the program. Its page belongs to the stack.
    let end = end.checked_next_multiple_of(PAGE)?;
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: initialises `limit` when it returns 0; only then it is read.
    let limit = unsafe {
        if libc::getrlimit(libc::RLIMIT_STACK, limit.as_mut_ptr()) != 0 {
            return None;
        }
        limit.assume_init().rlim_cur
    };
    let size = usize::try_from(limit).unwrap_or(GAP).min(GAP);
    Some(end.saturating_sub(size)..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_threads_stack_is_known_without_proc() {
        let stack = bounds_of_main().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).unwrap());
        assert!(
            start < stack.end && stack.end <= end,
            "{stack:x?} in {line}"
        );
        assert!(
            end - stack.end < 1 << 20,
            "only arguments and environment lie above"
        );
        assert!(
            stack.start <= start,
            "the kernel lets it grow: {stack:x?} and {line}"
        );
        // This test runs on another thread.
        assert!(
            !stack.contains(&Registers::here().sp) || std::thread::current().name() == Some("main")
        );
    }
}
