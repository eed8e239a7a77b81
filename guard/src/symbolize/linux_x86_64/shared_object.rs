//! The loaded file that an address belongs to: the program, or a shared object.
//!
//! `dladdr` takes a lock of the dynamic linker, which glibc makes anew in a forked child (`fork`, `dl_load_lock`).
#![expect(unsafe_code, reason = "asks the dynamic linker")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;

/// A loaded file.
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    /// How far from the addresses in the file it is loaded.
    pub(super) bias: usize,
}

/// Returns the file that holds the code at `ip`.
pub(super) fn loaded_at(ip: usize) -> Option<Loaded> {
    let module = module_at(ip)?;
    let path = if is_program(&module) {
        // The dynamic linker knows the program by the name that it was started with, which need not be a path.
        PathBuf::from("/proc/self/exe")
    } else {
        path(&module)?
    };
    Some(Loaded {
        path,
        bias: bias(&module),
    })
}

/// Returns the file name of the shared object that holds the code at `ip`; `None` if that is the program itself, or unknown.
pub(crate) fn name_of(ip: usize) -> Option<String> {
    let module = module_at(ip)?;
    if is_program(&module) {
        return None;
    }
    Some(path(&module)?.file_name()?.to_str()?.to_owned())
}

fn is_program(module: &libc::Dl_info) -> bool {
    // SAFETY: looks up a number in a table that the kernel gave the process.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) };
    module_at(entry as usize).is_some_and(|program| program.dli_fbase == module.dli_fbase)
}

fn module_at(address: usize) -> Option<libc::Dl_info> {
    let mut info = MaybeUninit::uninit();
    // SAFETY: `dladdr` takes any address, and fills `info` where it does not return 0.
    unsafe {
        #[expect(clippy::disallowed_methods, reason = "an address to look up")]
        let found = libc::dladdr(ptr::without_provenance(address), info.as_mut_ptr());
        (found != 0).then(|| info.assume_init())
    }
}

fn path(module: &libc::Dl_info) -> Option<PathBuf> {
    if module.dli_fname.is_null() {
        return None;
    }
    // SAFETY: not null, and a string of the dynamic linker that lives as long as the module is loaded: its code was on the
    // stack when its address was captured. It is copied at once.
    let path = unsafe { CStr::from_ptr(module.dli_fname) };
    Some(PathBuf::from(path.to_str().ok()?))
}

/// Returns 0 for a program that is linked to be loaded at fixed addresses, and else the address that the file is loaded at.
fn bias(module: &libc::Dl_info) -> usize {
    let header = module.dli_fbase.cast::<libc::Elf64_Ehdr>();
    // SAFETY: `dli_fbase` is the start of the first segment of a loaded module, as for `path`. Linkers begin that segment with
    // the ELF header, and it is readable in any case. The field is aligned, for segments begin at a page.
    let kind = unsafe { ptr::read(&raw const (*header).e_type) };
    if kind == libc::ET_EXEC {
        0
    } else {
        module.dli_fbase.addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_a_shared_object_has_the_name_of_one() {
        let own = name_of as *const () as usize;
        assert_eq!(name_of(own), None);
        let libc = libc::getpid as *const () as usize;
        assert_eq!(name_of(libc).as_deref(), Some("libc.so.6"));
        assert_eq!(name_of(0x10), None);
    }
}
