//! The modules of the process, with their unwind tables; and whether they are still there.
//!
//! Asked at each frame of a walk, so it is to take no lock: glibc's `_dl_find_object` (2.35 and later) takes none. And asked
//! only where a module may come and go. The program itself does not, nor the module that this code is in; a stack of these
//! two, and of what the engine compiled, is walked with two or three questions.
#![expect(unsafe_code, reason = "reads the loaded modules")]

use framehop::{ExplicitModuleSectionInfo, Module};
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::{mem, ptr, slice};

pub(crate) type Tables = &'static [u8];

/// Returns the start of the function that `ip` returns into, by the unwind tables.
pub(crate) fn function_start(ip: usize) -> Option<usize> {
    unsafe extern "C" {
        /// Of the unwinder that Rust itself links (libgcc's `unwind-dw2-fde.c`).
        fn _Unwind_FindEnclosingFunction(pc: *mut c_void) -> *mut c_void;
    }
    // SAFETY: looks the address up in tables; any address will do.
    let start = unsafe { _Unwind_FindEnclosingFunction(ptr::without_provenance_mut(ip - 1)) };
    (!start.is_null()).then_some(start.addr())
}

/// The modules that were there when it was made.
pub(crate) struct Modules {
    objects: Vec<Object>,
    /// The program, and the module that this code is in.
    settled: [Range<usize>; 2],
    find_object: Option<FindObject>,
    /// Modules loaded and unloaded (`dlpi_adds`, `dlpi_subs`), for a C library without `_dl_find_object`.
    generation: (u64, u64),
}

/// One module, as `_dl_find_object` tells of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Object {
    start: usize,
    end: usize,
    link_map: usize,
    eh_frame: usize,
}

/// `int _dl_find_object(void *, struct dl_find_object *)` (`dlfcn.h`).
type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

/// `struct dl_find_object` (`dlfcn.h`): these, and seven words that are reserved.
#[repr(C)]
#[derive(Default)]
struct Found {
    flags: u64,
    map_start: usize,
    map_end: usize,
    link_map: usize,
    eh_frame: usize,
    reserved: [u64; 7],
}

impl Modules {
    /// All that are loaded now; gives those that have tables to `each`.
    pub(crate) fn each(mut each: impl FnMut(Module<Tables>)) -> Self {
        let find_object = find_object();
        let mut objects = Vec::new();
        let mut program = None;
        let generation = iterate(|bias, headers| {
            let Some(range) = loaded_range(bias, headers) else {
                return;
            };
            program.get_or_insert(range.clone());
            objects.extend(find_object.and_then(|find| object(find, range.start)));
            if let Some(module) = module(bias, headers) {
                each(module);
            }
        });
        let own = (module as *const ()).addr();
        let own = objects
            .iter()
            .find(|object| (object.start..object.end).contains(&own));
        Self {
            settled: [
                program.unwrap_or(0..0),
                own.map_or(0..0, |own| own.start..own.end),
            ],
            objects,
            find_object,
            generation,
        }
    }

    /// Whether what is loaded at `address`, or that nothing is, has not changed.
    #[inline]
    pub(crate) fn still_has(&self, address: usize) -> bool {
        self.settled.iter().any(|range| range.contains(&address)) || self.has_not_changed(address)
    }

    #[inline(never)]
    fn has_not_changed(&self, address: usize) -> bool {
        let Some(find) = self.find_object else {
            return iterate_once() == self.generation;
        };
        match object(find, address) {
            Some(object) => self.objects.contains(&object),
            None => !self
                .objects
                .iter()
                .any(|object| (object.start..object.end).contains(&address)),
        }
    }
}

fn object(find: FindObject, address: usize) -> Option<Object> {
    let mut found = Found::default();
    // SAFETY: takes any address, and writes no more than a `struct dl_find_object`; as the manual of glibc has it, it may be
    // called at any time, a signal handler included.
    let result = unsafe { find(ptr::without_provenance_mut(address), &raw mut found) };
    (result == 0).then_some(Object {
        start: found.map_start,
        end: found.map_end,
        link_map: found.link_map,
        eh_frame: found.eh_frame,
    })
}

/// Not linked, as an older glibc has none.
fn find_object() -> Option<FindObject> {
    // SAFETY: looks up a symbol by its name.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    // SAFETY: null, or the function of that name, which is glibc's: names with a leading underscore are reserved to it.
    unsafe { mem::transmute::<*mut c_void, Option<FindObject>>(symbol) }
}

/// How many modules were loaded and unloaded so far.
fn iterate_once() -> (u64, u64) {
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

/// Gives the bias and the headers of each loaded module to `each`, the program's first; and the generation they are of.
fn iterate(mut each: impl FnMut(u64, &[libc::Elf64_Phdr])) -> (u64, u64) {
    struct Out<'a>((u64, u64), &'a mut dyn FnMut(u64, &[libc::Elf64_Phdr]));
    extern "C" fn one(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` hands a valid `info` with `dlpi_phnum` headers, and `out` is what was passed to it
        // below, of that type and borrowed by nobody else.
        let (info, headers, out) = unsafe {
            let info = &*info;
            let headers = slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            (info, headers, &mut *out.cast::<Out<'_>>())
        };
        out.0 = (info.dlpi_adds, info.dlpi_subs);
        (out.1)(info.dlpi_addr, headers);
        0
    }
    let mut out = Out((0, 0), &mut each);
    // SAFETY: the callback matches the signature and keeps no pointer.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut out).cast()) };
    out.0
}

/// Where a module is loaded, first byte to last.
fn loaded_range(bias: u64, headers: &[libc::Elf64_Phdr]) -> Option<Range<usize>> {
    let loaded = || {
        headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD)
    };
    let start = loaded().map(|header| header.p_vaddr).min()?;
    let end = loaded()
        .map(|header| header.p_vaddr + header.p_memsz)
        .max()?;
    Some((bias + start) as usize..(bias + end) as usize)
}

/// The module at `bias` with these program headers, if it has unwind tables.
fn module(bias: u64, headers: &[libc::Elf64_Phdr]) -> Option<Module<Tables>> {
    let loaded = |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_LOAD;
    let range = |header: &libc::Elf64_Phdr| header.p_vaddr..header.p_vaddr + header.p_memsz;
    let whole = loaded_range(bias, headers)?;
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
        whole.start as u64..whole.end as u64,
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
/// a
/// walk is of frames that are on the stack, and [`Modules::still_has`] is asked before each.
unsafe fn mapped(bias: u64, range: Range<u64>) -> Tables {
    let address = (bias + range.start) as usize;
    let len = (range.end - range.start) as usize;
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), len) }
}
