//! The modules of the process (the program and its shared objects) with their unwind tables, and whether they are still
//! loaded.
//!
//! A walk asks at each frame, so the answer must be cheap and take no lock. glibc's `_dl_find_object` (2.35 and later) takes
//! none; a module becomes known when a walk first comes to it. The program and the module that holds this code are never
//! unloaded, so nothing is asked about them again.
//!
//! Other C libraries only have `dl_iterate_phdr`, which lists all modules. It takes a lock that glibc leaves locked in a child
//! if another thread held it at the fork, so a forked child never calls it: there, modules that are not known yet are walked by
//! frame pointers.
#![expect(unsafe_code, reason = "reads the loaded modules")]

use crate::fork::generation;
use crate::sync::real::OnceBox;
use arrayvec::ArrayVec;
use framehop::{ExplicitModuleSectionInfo, Module};
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::{mem, ptr, slice};

pub(super) type Tables = &'static [u8];

/// Returns the start of the function that `ip` returns into, by the unwind tables.
pub(crate) fn function_start(ip: usize) -> Option<usize> {
    unsafe extern "C" {
        /// A function of the unwinder that Rust itself links (libgcc's `unwind-dw2-fde.c`).
        fn _Unwind_FindEnclosingFunction(pc: *mut c_void) -> *mut c_void;
    }
    // SAFETY: looks the address up in tables, and takes any address.
    #[expect(clippy::disallowed_methods, reason = "an address to look up")]
    let start = unsafe { _Unwind_FindEnclosingFunction(ptr::without_provenance_mut(ip - 1)) };
    (!start.is_null()).then_some(start.addr())
}

/// The modules that a thread knows.
pub(super) struct Modules {
    known: Vec<Object>,
    /// The known ones that are never unloaded: the program, and the module that holds this code.
    permanent: ArrayVec<Range<usize>, 2>,
    /// The code of the modules that may hold the C library's signal trampoline.
    code: Vec<Range<usize>>,
    /// The program holds the C library. Elsewhere most frames need no look at their code.
    is_static: bool,
    source: Source,
}

/// How modules become known.
enum Source {
    /// One by one.
    FindObject(FindObject),
    /// All at once, at this number of modules loaded and unloaded (`dlpi_adds`, `dlpi_subs`).
    List((u64, u64)),
    /// Not at all: a forked child of a C library without `_dl_find_object`.
    Nothing,
}

/// What an address means for a walk.
pub(super) enum Seen {
    /// It is in a module that is never unloaded and does not hold the C library.
    Permanent,
    /// Its module is known, or it is in none.
    Known,
    /// It is in a module that was not known, and is from now on.
    New(Module<Tables>),
    /// A known module was unloaded, or there may be new ones: all that is known is out of date.
    Changed,
}

/// One module, as `_dl_find_object` describes it. The addresses are those of all its segments, or of one with code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    start: usize,
    end: usize,
    pub(super) link_map: usize,
    eh_frame: usize,
}

impl Object {
    pub(super) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// `int _dl_find_object(void *, struct dl_find_object *)` (`dlfcn.h`).
pub(super) type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

/// `struct dl_find_object` (`dlfcn.h`): these fields and seven reserved words.
#[repr(C)]
#[derive(Default)]
pub(super) struct Found {
    flags: u64,
    map_start: usize,
    map_end: usize,
    link_map: usize,
    eh_frame: usize,
    reserved: [u64; 7],
}

impl Modules {
    /// Makes the modules of a thread; passes those that are known from the start to `each`.
    pub(super) fn new(each: impl FnMut(Module<Tables>)) -> Self {
        match find_object() {
            Some(find) => Self {
                known: Vec::new(),
                permanent: ArrayVec::new(),
                code: Vec::new(),
                is_static: is_static(),
                source: Source::FindObject(find),
            },
            None => Self::listed(each),
        }
    }

    fn listed(mut each: impl FnMut(Module<Tables>)) -> Self {
        let mut permanent = ArrayVec::new();
        let mut code = Vec::new();
        let listed = list(|bias, headers| {
            permanent.extend(loaded_range(bias, headers).filter(is_permanent));
            code.extend(code_range(bias, headers));
            if let Some(module) = module(bias, headers) {
                each(module);
            }
        });
        Self {
            known: Vec::new(),
            permanent,
            code,
            is_static: is_static(),
            source: listed.map_or(Source::Nothing, Source::List),
        }
    }

    /// Looks up the module at `address`.
    #[inline]
    pub(super) fn look_up(&mut self, address: usize) -> Seen {
        if self.permanent.iter().any(|range| range.contains(&address)) {
            if self.is_static {
                Seen::Known
            } else {
                Seen::Permanent
            }
        } else {
            self.look_up_slowly(address)
        }
    }

    /// Whether the bytes of `code` are at `address`, in a module that was just looked up.
    pub(super) fn has_code<const N: usize>(&self, address: usize, code: &[u8; N]) -> bool {
        let mut ranges = self.code.iter();
        ranges.any(|range| {
            let holds = range.start <= address && address < range.end.saturating_sub(N);
            // SAFETY: in the executable segment of a module, which is readable and which nobody writes. The module is loaded:
            // `look_up` has just found it. An array of bytes has no alignment.
            holds && unsafe { ptr::read(ptr::with_exposed_provenance::<[u8; N]>(address)) } == *code
        })
    }

    #[inline(never)]
    fn look_up_slowly(&mut self, address: usize) -> Seen {
        let find = match self.source {
            Source::FindObject(find) => find,
            Source::List(then) => {
                return match list_first() {
                    Some(now) if now != then => Seen::Changed,
                    _ => Seen::Known,
                };
            }
            Source::Nothing => return Seen::Known,
        };
        let Some(object) = object(find, address) else {
            let was_known = self.known.iter().any(|it| it.range().contains(&address));
            return if was_known {
                Seen::Changed
            } else {
                Seen::Known
            };
        };
        if self.known.contains(&object) {
            return Seen::Known;
        }
        let overlaps = |it: &Object| it.start < object.end && object.start < it.end;
        if self.known.iter().any(overlaps) {
            return Seen::Changed;
        }
        self.known.push(object);
        self.permanent
            .extend(Some(object.range()).filter(is_permanent));
        let described = with_headers(&object, |bias, headers| {
            self.code.extend(code_range(bias, headers));
            module(bias, headers)
        });
        match described.flatten() {
            Some(module) => Seen::New(module),
            None => Seen::Known,
        }
    }
}

/// Finds the loaded file at an address without a lock.
pub(super) struct Finder {
    find: FindObject,
    program: Range<usize>,
}

impl Finder {
    /// `None` if the C library is not glibc 2.35 or newer.
    pub(super) fn new() -> Option<Self> {
        let find = find_object()?;
        let program = object(find, program_entry()).map_or(0..0, |object| object.range());
        Some(Self { find, program })
    }

    /// Where the program's own code lies.
    #[inline]
    pub(super) fn program(&self) -> Range<usize> {
        self.program.clone()
    }

    /// Where the code of the file at `address` lies; `None` if no file is loaded there.
    #[inline]
    pub(super) fn range_at(&self, address: usize) -> Option<Range<usize>> {
        object(self.find, address).map(|object| object.range())
    }
}

/// Whether the module whose code is at `range` is never unloaded: it is the program, or holds this code.
fn is_permanent(range: &Range<usize>) -> bool {
    is_program(range) || range.contains(&(is_permanent as *const ()).addr())
}

/// Whether the program's code is at `range`.
pub(super) fn is_program(range: &Range<usize>) -> bool {
    range.contains(&program_entry())
}

/// An address in the program's code: its entry.
fn program_entry() -> usize {
    // SAFETY: looks up a number in a table that the kernel gave the process.
    unsafe { libc::getauxval(libc::AT_ENTRY) as usize }
}

/// Returns the module at `address`.
pub(super) fn object(find: FindObject, address: usize) -> Option<Object> {
    let mut found = Found::default();
    // SAFETY: `_dl_find_object` takes any address, writes no more than a `struct dl_find_object`, and may be called at any
    // time, a signal handler included (the manual of glibc, "Dynamic Linker Introspection").
    #[expect(clippy::disallowed_methods, reason = "an address to look up")]
    let result = unsafe { find(ptr::without_provenance_mut(address), &raw mut found) };
    (result == 0).then_some(Object {
        start: found.map_start,
        end: found.map_end,
        link_map: found.link_map,
        eh_frame: found.eh_frame,
    })
}

/// Returns `_dl_find_object`, looked up once at run time, for an older glibc and other C libraries have none.
pub(super) fn find_object() -> Option<FindObject> {
    static FIND: OnceBox<Option<FindObject>> = OnceBox::new();
    *FIND.get_or_init(|| Box::new(look_up_find_object()))
}

fn look_up_find_object() -> Option<FindObject> {
    // SAFETY: looks up a symbol by its name, a string that ends with 0.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    // SAFETY: null, or the function of that name, which is glibc's: names with a leading underscore are reserved to it. Its
    // signature is the one of `FindObject`.
    unsafe { mem::transmute::<*mut c_void, Option<FindObject>>(symbol) }
}

/// Passes the bias and the headers of a found object to `describe`.
fn with_headers<R>(
    object: &Object,
    mut describe: impl FnMut(u64, &[libc::Elf64_Phdr]) -> R,
) -> Option<R> {
    let link_map = ptr::with_exposed_provenance::<u64>(object.link_map);
    // SAFETY: `struct link_map` begins with `l_addr`, the bias (`link.h`). The dynamic linker keeps it while the module is
    // loaded, and the module is: the frame that is walked runs its code.
    let bias = unsafe { ptr::read(link_map) };
    let holds_object = |headers: &[libc::Elf64_Phdr]| {
        loaded_range(bias, headers).is_some_and(|range| range.contains(&object.start))
    };
    let headers = if is_program(&object.range()) {
        Some(program_headers())
    } else {
        first_page_headers(bias as usize)
    };
    if let Some(headers) = headers.filter(|headers| holds_object(headers)) {
        return Some(describe(bias, headers));
    }
    // A tool has moved the headers elsewhere; only the dynamic linker knows where.
    let mut moved = None;
    list(|listed, headers| {
        if listed == bias && holds_object(headers) {
            moved = Some(describe(bias, headers));
        }
    });
    moved
}

/// Whether the program was linked statically: it names no dynamic linker.
fn is_static() -> bool {
    let mut headers = program_headers().iter();
    headers.all(|header| header.p_type != libc::PT_INTERP)
}

/// Returns the program headers of the program.
pub(super) fn program_headers() -> &'static [libc::Elf64_Phdr] {
    // SAFETY: looks up numbers in a table that the kernel gave the process.
    let (at, count) = unsafe {
        (
            libc::getauxval(libc::AT_PHDR),
            libc::getauxval(libc::AT_PHNUM),
        )
    };
    // SAFETY: the kernel describes the headers of the program, which it has mapped and which is never unloaded.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(at as usize), count as usize) }
}

/// Returns the program headers of the shared object whose file begins at `start`, if they lie in its first page. Returns `None`
/// if no file begins there.
pub(super) fn first_page_headers(start: usize) -> Option<&'static [libc::Elf64_Phdr]> {
    const PAGE: usize = 4096;
    let mut is_resident = 0;
    // SAFETY: `mincore` takes any address, and writes one byte for one page.
    #[expect(clippy::disallowed_methods, reason = "an address to look up")]
    let mapped = start.is_multiple_of(PAGE)
        && unsafe {
            libc::mincore(
                ptr::without_provenance_mut(start),
                PAGE,
                &raw mut is_resident,
            )
        } == 0;
    if !mapped {
        return None;
    }
    // SAFETY: `start` is the bias of a loaded shared object, and a page is mapped there. It is the first of the object's
    // first segment, which is readable, for linkers give that segment the address 0.
    let header = unsafe { ptr::read(ptr::with_exposed_provenance::<libc::Elf64_Ehdr>(start)) };
    let offset = usize::try_from(header.e_phoff).ok()?;
    let count = usize::from(header.e_phnum);
    let end = offset.checked_add(count * size_of::<libc::Elf64_Phdr>())?;
    let fits = header.e_ident.starts_with(b"\x7fELF")
        && usize::from(header.e_phentsize) == size_of::<libc::Elf64_Phdr>()
        && offset.is_multiple_of(align_of::<libc::Elf64_Phdr>())
        && end <= PAGE;
    // SAFETY: aligned, and in the page that the header lies in, which nobody writes and which stays mapped while the module
    // is loaded; see `mapped`.
    fits.then(|| unsafe {
        slice::from_raw_parts(ptr::with_exposed_provenance(start + offset), count)
    })
}

/// How many modules were loaded and unloaded so far. Returns `None` in a forked child.
fn list_first() -> Option<(u64, u64)> {
    extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes a valid `info`, and `out` is what was passed to it below.
        unsafe { *out.cast() = ((*info).dlpi_adds, (*info).dlpi_subs) };
        1
    }
    if generation::current() != 0 {
        return None;
    }
    let mut counts = (0u64, 0u64);
    // SAFETY: the callback has the signature that is asked for, keeps no pointer, and stops at the first module.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut counts).cast()) };
    Some(counts)
}

/// Passes the bias and the headers of each loaded module to `each`, and returns how many modules were loaded and unloaded so
/// far. Returns `None` in a forked child.
fn list(mut each: impl FnMut(u64, &[libc::Elf64_Phdr])) -> Option<(u64, u64)> {
    struct Out<'a>((u64, u64), &'a mut dyn FnMut(u64, &[libc::Elf64_Phdr]));
    extern "C" fn one(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes a valid `info` with `dlpi_phnum` headers, and `out` is what was passed to it
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
    if generation::current() != 0 {
        return None;
    }
    let mut out = Out((0, 0), &mut each);
    // SAFETY: the callback has the signature that is asked for, and keeps no pointer.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut out).cast()) };
    Some(out.0)
}

/// Returns the addresses that a module is loaded at.
pub(super) fn loaded_range(bias: u64, headers: &[libc::Elf64_Phdr]) -> Option<Range<usize>> {
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

/// Returns the addresses of a module's executable segment.
fn code_range(bias: u64, headers: &[libc::Elf64_Phdr]) -> Option<Range<usize>> {
    let header = headers
        .iter()
        .find(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)?;
    let start = (bias + header.p_vaddr) as usize;
    Some(start..start + header.p_filesz as usize)
}

/// Returns the module at `bias` with these program headers, if it has unwind tables.
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
    // SAFETY: part of a loaded segment of this module (the ELF specification has every segment with an address in one). Its
    // tables are used only after `Modules::look_up`.
    let index_bytes = unsafe { mapped(bias, index.clone()) };
    let frames_at = eh_frame(index.start, index_bytes)?;
    let frames_end = headers
        .iter()
        .filter(loaded)
        .map(range)
        .find(|segment| segment.contains(&frames_at))?
        .end;
    let frames = frames_at..frames_end;
    // SAFETY: from the start of `.eh_frame` to the end of the loaded segment that holds it; used as the bytes above.
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

/// Returns the address of `.eh_frame`, which `.eh_frame_hdr` at `address` begins with.
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

/// Returns the bytes of a module that is loaded at `bias`.
///
/// # Safety
///
/// `range` lies in a loaded, readable segment of the module. The module stays loaded while the bytes are used: a walk reads
/// the tables only of modules whose code is on the stack, and asks [`Modules::look_up`] before each frame.
unsafe fn mapped(bias: u64, range: Range<u64>) -> Tables {
    let address = (bias + range.start) as usize;
    let len = (range.end - range.start) as usize;
    // SAFETY: the segment that holds `range` is mapped and readable as long as the module is loaded, which the caller
    // ensures for the time of use. Nobody writes to a module's unwind tables.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_new_at_the_first_look_and_known_from_then_on() {
        let mut modules = Modules::new(|_| {});
        let program = function_start as *const () as usize;
        let c_library = libc::getpid as *const () as usize;
        for address in [program, c_library] {
            assert!(matches!(modules.look_up(address), Seen::New(_)));
        }
        assert!(matches!(modules.look_up(program), Seen::Permanent));
        assert!(matches!(modules.look_up(c_library), Seen::Known));
        assert_eq!(modules.permanent.len(), 1, "the program holds this code");
        assert!(matches!(modules.look_up(0x10), Seen::Known), "in no module");
    }

    #[test]
    fn code_is_compared_where_a_known_module_has_it_and_nowhere_else() {
        let mut modules = Modules::new(|_| {});
        let c_library = libc::getpid as *const () as usize;
        // SAFETY: code of the C library, which is never unloaded.
        let code: [u8; 4] = unsafe { ptr::read(ptr::with_exposed_provenance(c_library)) };
        assert!(!modules.has_code(c_library, &code), "not known yet");
        modules.look_up(c_library);
        assert!(modules.has_code(c_library, &code));
        assert!(!modules.has_code(c_library, &code.map(|byte| !byte)));
        let end = modules.code[0].end;
        for outside in [0, 0x10, end - 3, end, usize::MAX] {
            assert!(!modules.has_code(outside, &code), "{outside:#x}");
        }
    }

    #[test]
    fn a_module_that_is_no_longer_there_is_a_change() {
        let mut modules = Modules::new(|_| {});
        let gone = Object {
            start: 0x10_0000,
            end: 0x20_0000,
            link_map: 0,
            eh_frame: 0,
        };
        modules.known.push(gone);
        assert!(matches!(modules.look_up(0x18_0000), Seen::Changed));
        let c_library = object(find_object().unwrap(), libc::getpid as *const () as usize).unwrap();
        let mut modules = Modules::new(|_| {});
        modules.known.push(Object {
            start: c_library.start - 0x1000,
            end: c_library.start + 0x1000,
            ..gone
        });
        assert!(matches!(modules.look_up(c_library.end - 1), Seen::Changed));
    }

    #[test]
    fn a_found_module_has_the_tables_and_the_place_that_the_dynamic_linker_lists() {
        let find = find_object().unwrap();
        let mut compared = 0;
        list(|bias, headers| {
            let code = headers
                .iter()
                .find(|it| it.p_flags & libc::PF_X != 0)
                .unwrap();
            let found = object(find, (bias + code.p_vaddr) as usize).unwrap();
            let headers_found = if is_program(&found.range()) {
                program_headers()
            } else {
                first_page_headers(bias as usize).unwrap()
            };
            assert_eq!(headers_found.len(), headers.len());
            for (one, other) in headers_found.iter().zip(headers) {
                assert_eq!((one.p_type, one.p_vaddr), (other.p_type, other.p_vaddr));
            }
            let place = |module: Module<Tables>| (module.base_avma(), module.avma_range());
            let listed = module(bias, headers).map(place);
            assert!(listed.is_some());
            let found = with_headers(&found, module).flatten();
            assert_eq!(found.map(place), listed);
            compared += 1;
        });
        assert!(compared > 2, "{compared}");
    }

    #[test]
    fn an_address_where_no_file_begins_has_no_headers() {
        assert!(first_page_headers(0).is_none(), "not mapped");
        assert!(first_page_headers(1).is_none(), "not a page");
        let code = function_start as *const () as usize;
        assert!(first_page_headers(code & !4095).is_none(), "no ELF header");
    }

    #[test]
    fn listed_modules_are_known_from_the_start() {
        let mut listed = 0;
        let mut modules = Modules::listed(|_| listed += 1);
        assert!(listed > 2, "{listed}");
        assert_eq!(modules.permanent.len(), 1, "the program holds this code");
        let c_library = libc::getpid as *const () as usize;
        assert!(matches!(modules.look_up(c_library), Seen::Known));
    }
}
