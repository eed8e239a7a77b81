//! The loaded file that an address belongs to, as the dynamic linker describes it: the program, or a shared object.
//!
//! glibc's `_dl_find_object` takes no lock. `dladdr`, for other C libraries, takes one of the dynamic linker, which glibc makes
//! anew in a forked child (`fork`, `dl_load_lock`).
#![expect(unsafe_code, reason = "reads the loaded modules")]

use super::loaded_modules::{
    FindObject, find_object, first_page_headers, is_program, loaded_range, object, program_headers,
};
use std::ffi::{CStr, OsStr, c_char};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::{ptr, slice};

/// A loaded file. Its memory is read only while it stays loaded: see [`at`](Self::at).
pub(crate) struct LoadedObject {
    bias: usize,
    range: Range<usize>,
    name: *const c_char,
    headers: &'static [libc::Elf64_Phdr],
}

/// The start of `struct link_map` (`link.h`).
#[repr(C)]
struct LinkMap {
    l_addr: usize,
    l_name: *const c_char,
}

impl LoadedObject {
    /// Looks up the file that holds the code at `address`. That code is the program's, or on the stack of this thread, or
    /// otherwise stays loaded while the result is used.
    pub(crate) fn at(address: usize) -> Option<Self> {
        match find_object() {
            Some(find) => Self::by_find_object(find, address),
            None => Self::by_dladdr(address),
        }
    }

    fn by_find_object(find: FindObject, address: usize) -> Option<Self> {
        let object = object(find, address)?;
        let map = ptr::with_exposed_provenance::<LinkMap>(object.link_map);
        // SAFETY: `struct link_map` begins with these fields. The dynamic linker keeps it while the module is loaded, and it is:
        // see `at`.
        let map = unsafe { ptr::read(map) };
        Some(Self {
            bias: map.l_addr,
            headers: headers(map.l_addr, &object.range()),
            range: object.range(),
            name: map.l_name,
        })
    }

    fn by_dladdr(address: usize) -> Option<Self> {
        let mut info = MaybeUninit::<libc::Dl_info>::uninit();
        // SAFETY: `dladdr` takes any address, and fills `info` where it does not return 0.
        let info = unsafe {
            #[expect(clippy::disallowed_methods, reason = "an address to look up")]
            let found = libc::dladdr(ptr::without_provenance(address), info.as_mut_ptr());
            (found != 0).then(|| info.assume_init())?
        };
        let start = info.dli_fbase.addr();
        let headers = headers(start, &(start..start + 1));
        // A program that is linked to be loaded at fixed addresses has no bias.
        let is_fixed = headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD)
            .any(|header| header.p_vaddr as usize == start);
        let bias = if is_fixed { 0 } else { start };
        let range = loaded_range(bias as u64, headers).filter(|range| range.contains(&address));
        Some(Self {
            bias,
            range: range.unwrap_or(address..address + 1),
            name: info.dli_fname,
            headers,
        })
    }

    /// Returns how far from the addresses in its file it is loaded.
    pub(crate) fn bias(&self) -> usize {
        self.bias
    }

    /// Returns the addresses that it is loaded at, or some of them.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    pub(crate) fn is_program(&self) -> bool {
        is_program(&self.range)
    }

    /// Returns the path that it was loaded from; of the program, the path that it was started by.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let name = if self.is_program() {
            // SAFETY: looks up a number in a table that the kernel gave the process.
            let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
            ptr::with_exposed_provenance(path as usize)
        } else {
            self.name
        };
        if name.is_null() {
            return None;
        }
        // SAFETY: not null. The kernel's string lives as long as the process; the dynamic linker's as long as the module is
        // loaded, see `at`. It is copied at once.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        (!name.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(name)))
    }

    /// Returns the program headers as bytes.
    pub(crate) fn header_bytes(&self) -> &[u8] {
        let bytes = size_of_val(self.headers);
        // SAFETY: the memory of these headers, which are integers without padding.
        unsafe { slice::from_raw_parts(self.headers.as_ptr().cast(), bytes) }
    }

    /// Returns the alignment and the bytes of each segment of notes.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let span = |header: &libc::Elf64_Phdr| {
            header.p_vaddr..header.p_vaddr.saturating_add(header.p_filesz)
        };
        let is_readable = move |notes: &Range<u64>| {
            self.headers.iter().any(|header| {
                let loaded = span(header);
                header.p_type == libc::PT_LOAD
                    && header.p_flags & libc::PF_R != 0
                    && loaded.start <= notes.start
                    && notes.end <= loaded.end
            })
        };
        (self.headers.iter())
            .filter(|header| header.p_type == libc::PT_NOTE)
            .filter(move |header| is_readable(&span(header)))
            .map(|header| {
                let address = self.bias.wrapping_add(header.p_vaddr as usize);
                let start = ptr::with_exposed_provenance(address);
                // SAFETY: part of a readable segment of this module, as was checked above, which is mapped as long as the module
                // is loaded, see `at`. Nobody writes to its notes.
                let notes = unsafe { slice::from_raw_parts(start, header.p_filesz as usize) };
                (header.p_align, notes)
            })
    }
}

/// Returns the program headers of the file that is loaded at `range`; none if they are elsewhere.
fn headers(bias: usize, range: &Range<usize>) -> &'static [libc::Elf64_Phdr] {
    let headers = if is_program(range) {
        Some(program_headers())
    } else {
        first_page_headers(bias)
    };
    headers.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_file() {
        let program = both_ways_find_the_same_file as *const () as usize;
        let c_library = libc::getpid as *const () as usize;
        for (address, is_program) in [(program, true), (c_library, false)] {
            let found = LoadedObject::by_find_object(find_object().unwrap(), address).unwrap();
            let by_dladdr = LoadedObject::by_dladdr(address).unwrap();
            for object in [&found, &by_dladdr] {
                assert_eq!(object.is_program(), is_program);
                assert!(object.range().contains(&address));
                assert!(object.notes().count() > 0);
                let file = std::fs::read(object.path().unwrap()).unwrap();
                let at = 64..64 + object.header_bytes().len();
                assert_eq!(&file[at], object.header_bytes());
            }
            assert_eq!(found.bias(), by_dladdr.bias());
            assert_eq!(found.path(), by_dladdr.path());
        }
        assert!(LoadedObject::at(0x10).is_none());
        assert!(LoadedObject::by_dladdr(0x10).is_none());
    }
}
