//! Which shared object an address belongs to: a frame in an add-on is named by it.

/// The file name of the shared object that holds the code at `ip`; `None` where that is the program itself, or cannot be told.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "asks the dynamic linker")]
pub(crate) fn name_of(ip: usize) -> Option<String> {
    use std::ffi::CStr;
    use std::path::Path;

    // SAFETY: looks a number up in a table that the kernel gave the process.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) };
    let module = loaded(ip)?;
    // A module that has no name is the program's too, or the kernel's.
    if module.dli_fname.is_null()
        || loaded(entry as usize).is_some_and(|program| program.dli_fbase == module.dli_fbase)
    {
        return None;
    }
    // SAFETY: not null, and a string of the dynamic linker's, which lives as long as the module is loaded: its code was on
    // the stack when this address was captured. It is copied at once.
    let path = unsafe { CStr::from_ptr(module.dli_fname) };
    let path = Path::new(path.to_str().ok()?);
    Some(path.file_name()?.to_str()?.to_owned())
}

/// The exported function that holds the code at `ip`, demangled.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "asks the dynamic linker")]
pub(crate) fn symbol_at(ip: usize) -> Option<String> {
    use std::ffi::CStr;

    let symbol = loaded(ip)?.dli_sname;
    if symbol.is_null() {
        return None;
    }
    // SAFETY: as above.
    let symbol = unsafe { CStr::from_ptr(symbol) };
    let name = backtrace::SymbolName::new(symbol.to_bytes());
    Some(format!("{name:#}"))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "asks the dynamic linker")]
fn loaded(address: usize) -> Option<libc::Dl_info> {
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: `dladdr` takes any address, and fills `info` where it does not return 0.
    unsafe {
        let found = libc::dladdr(std::ptr::without_provenance(address), info.as_mut_ptr());
        (found != 0).then(|| info.assume_init())
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn name_of(_: usize) -> Option<String> {
    None
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn symbol_at(_: usize) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn code_of_a_shared_object_is_told_from_the_programs() {
        let own = name_of as *const () as usize;
        assert_eq!(name_of(own), None);
        let libc = libc::getpid as *const () as usize;
        assert_eq!(name_of(libc).as_deref(), Some("libc.so.6"));
        assert_eq!(name_of(0x10), None);
        assert!(symbol_at(libc + 1).is_some_and(|name| name.ends_with("getpid")));
        assert_eq!(symbol_at(0x10), None);
    }
}
