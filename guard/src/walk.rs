//! Walks the machine stack of the calling thread: by unwind tables, across frames that have none.
//!
//! An engine's builtins and compiled JavaScript have no unwind tables, and end the walk of `_Unwind_Backtrace`. They do
//! keep frame pointers, as generated code must; framehop follows the tables where there are any, and the frame pointers
//! where there are not, so it comes out at the other side, whether or not the user's own code has frame pointers.
//!
//! Each thread keeps what it needs, made at its first walk. After that a walk takes no lock and does not allocate.
#![expect(unsafe_code, reason = "reads the machine stack and the loaded modules")]

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, Module, MustNotAllocateDuringUnwind,
};
use framehop::{Unwinder, UnwinderNative};
use std::arch::asm;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::{ptr, slice};

type Tables = &'static [u8];

thread_local! {
    static WALKER: RefCell<Option<Box<Walker>>> = const { RefCell::new(None) };
}

/// What one thread needs to walk its own stack.
struct Walker {
    unwinder: UnwinderNative<Tables, MustNotAllocateDuringUnwind>,
    cache: CacheNative<MustNotAllocateDuringUnwind>,
    /// Modules loaded and unloaded when `unwinder` was made (`dlpi_adds`, `dlpi_subs`).
    generation: (u64, u64),
    stack: Range<usize>,
}

/// The registers that a walk starts from.
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    ip: usize,
    sp: usize,
    fp: usize,
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

    /// The stack pointer.
    pub(crate) fn sp(self) -> usize {
        self.sp
    }
}

/// Gives `frame` each instruction pointer from `registers` outwards, until it wants no more. False if the stack could not
/// be walked at all: the thread is ending, or runs on a stack that is not its own.
pub(crate) fn walk(registers: Registers, frame: impl FnMut(usize) -> bool) -> bool {
    with_walker(|walker| walker.walk(registers, frame))
}

/// As [`walk`], with the address at which each frame ends: below it, and above the end of the frame before, lies what the
/// function holds on the stack.
pub(crate) fn frames(registers: Registers, frame: impl FnMut(usize, usize) -> bool) -> bool {
    with_walker(|walker| walker.frames(registers, frame))
}

fn with_walker(walk: impl FnOnce(&mut Walker) -> bool) -> bool {
    WALKER
        .try_with(|walker| {
            let Ok(mut walker) = walker.try_borrow_mut() else {
                return false;
            };
            let generation = generation();
            let walker = match &mut *walker {
                Some(walker) if walker.generation == generation => walker,
                stale => {
                    let Some(fresh) = Walker::new() else {
                        return false;
                    };
                    stale.insert(Box::new(fresh))
                }
            };
            walk(walker)
        })
        .unwrap_or(false)
}

impl Walker {
    fn new() -> Option<Self> {
        let mut unwinder = UnwinderNative::new();
        let generation = modules(|module| unwinder.add_module(module));
        Some(Self {
            unwinder,
            cache: CacheNative::new_in(),
            generation,
            stack: stack_bounds()?,
        })
    }

    fn walk(&mut self, registers: Registers, mut frame: impl FnMut(usize) -> bool) -> bool {
        self.frames(registers, |ip, _| frame(ip))
    }

    fn frames(
        &mut self,
        registers: Registers,
        mut frame: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        if !self.stack.contains(&registers.sp) {
            return false;
        }
        let readable = registers.sp..self.stack.end;
        let mut read = |address: u64| {
            let address = usize::try_from(address).map_err(drop)?;
            let end = address.checked_add(size_of::<u64>()).ok_or(())?;
            if !address.is_multiple_of(align_of::<u64>())
                || address < readable.start
                || end > readable.end
            {
                return Err(());
            }
            // SAFETY: aligned, and between this thread's stack pointer and the end of its stack, which is mapped and
            // initialised: only this thread writes it, and it is here. Volatile, for no Rust object is meant.
            Ok(unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) })
        };
        let mut registers_of = framehop::UnwindRegsNative::new(
            registers.ip as u64,
            registers.sp as u64,
            registers.fp as u64,
        );
        let mut address = FrameAddress::from_instruction_pointer(registers.ip as u64);
        loop {
            // An error is the end of what can be walked; framehop gives one at many a proper end too.
            let caller =
                self.unwinder
                    .unwind_frame(address, &mut registers_of, &mut self.cache, &mut read);
            let caller = caller.ok().flatten();
            let end = match caller {
                Some(_) => registers_of.sp() as usize,
                None => self.stack.end,
            };
            if !frame(address.address() as usize, end) {
                break;
            }
            match caller.and_then(FrameAddress::from_return_address) {
                Some(next) => address = next,
                None => break,
            }
        }
        true
    }
}

/// How many modules were loaded and unloaded so far. A `dlopen` of an add-on changes it.
fn generation() -> (u64, u64) {
    extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` hands a valid `info`, and `out` is what was passed to it below.
        unsafe { *out.cast() = ((*info).dlpi_adds, (*info).dlpi_subs) };
        1
    }
    let mut generation = (0u64, 0u64);
    // SAFETY: the callback matches the signature, keeps no pointer, and stops at the first module.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut generation).cast()) };
    generation
}

/// Gives each loaded module to `each`, and the generation they are of.
fn modules(mut each: impl FnMut(Module<Tables>)) -> (u64, u64) {
    struct Out<'a>((u64, u64), &'a mut dyn FnMut(Module<Tables>));
    extern "C" fn one(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` hands a valid `info` with `dlpi_phnum` headers, and `out` is what was passed to it
        // below, of that type and borrowed by nobody else.
        let (info, headers, out) = unsafe {
            let info = &*info;
            let headers = slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            (info, headers, &mut *out.cast::<Out<'_>>())
        };
        out.0 = (info.dlpi_adds, info.dlpi_subs);
        if let Some(module) = module(info.dlpi_addr, headers) {
            (out.1)(module);
        }
        0
    }
    let mut out = Out((0, 0), &mut each);
    // SAFETY: the callback matches the signature and keeps no pointer.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut out).cast()) };
    out.0
}

/// The module at `bias` with these program headers, if it has unwind tables.
fn module(bias: u64, headers: &[libc::Elf64_Phdr]) -> Option<Module<Tables>> {
    let loaded = |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_LOAD;
    let range = |header: &libc::Elf64_Phdr| header.p_vaddr..header.p_vaddr + header.p_memsz;
    let start = headers.iter().filter(loaded).map(|h| h.p_vaddr).min()?;
    let end = headers.iter().filter(loaded).map(|h| range(h).end).max()?;
    let text = headers
        .iter()
        .filter(loaded)
        .find(|header| header.p_flags & libc::PF_X != 0)
        .map(range)?;
    let index = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
        .map(range)?;
    // SAFETY: part of a loaded segment of this module (the ELF specification has every segment with an address in one).
    let index_bytes = unsafe { mapped(bias, index.clone()) };
    let frames_at = eh_frame(index.start, index_bytes)?;
    let frames_end = headers
        .iter()
        .filter(loaded)
        .map(range)
        .find(|segment| segment.contains(&frames_at))?
        .end;
    let frames = frames_at..frames_end;
    // SAFETY: to the end of the loaded segment that holds it.
    let frames_bytes = unsafe { mapped(bias, frames.clone()) };
    Some(Module::new(
        String::new(),
        bias + start..bias + end,
        bias,
        ExplicitModuleSectionInfo {
            text_svma: Some(text),
            eh_frame_svma: Some(frames),
            eh_frame: Some(frames_bytes),
            eh_frame_hdr_svma: Some(index),
            eh_frame_hdr: Some(index_bytes),
            ..Default::default()
        },
    ))
}

/// The address of `.eh_frame`, which `.eh_frame_hdr` at `address` begins with.
fn eh_frame(address: u64, bytes: &[u8]) -> Option<u64> {
    let bases = gimli::BaseAddresses::default().set_eh_frame_hdr(address);
    let header = gimli::EhFrameHdr::new(bytes, gimli::NativeEndian)
        .parse(&bases, 8)
        .ok()?;
    match header.eh_frame_ptr() {
        gimli::Pointer::Direct(at) => Some(at),
        gimli::Pointer::Indirect(_) => None,
    }
}

/// # Safety
///
/// `range` lies in a loaded, readable segment of the module at `bias`. The module is not unloaded while the bytes are used:
/// a walk is of frames that are on the stack, and [`generation`] is looked at before each.
unsafe fn mapped(bias: u64, range: Range<u64>) -> Tables {
    let address = (bias + range.start) as usize;
    let len = (range.end - range.start) as usize;
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), len) }
}

/// The memory of the calling thread's stack.
fn stack_bounds() -> Option<Range<usize>> {
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
