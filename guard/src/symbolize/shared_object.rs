//! Which shared object an address belongs to: a frame in an add-on is named by it.

use std::path::PathBuf;

/// The file name of the shared object that holds the code at `ip`; `None` where that is the program itself, or cannot be told.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "asks the dynamic linker")]
pub(crate) fn name_of(ip: usize) -> Option<String> {
    // SAFETY: looks a number up in a table that the kernel gave the process.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) };
    let module = loaded(ip)?;
    // A module that has no name is the program's too, or the kernel's.
    if loaded(entry as usize).is_some_and(|program| program.dli_fbase == module.dli_fbase) {
        return None;
    }
    Some(path(&module)?.file_name()?.to_str()?.to_owned())
}

/// Gives the functions at `ip` to `each`, with file and line where they are known, innermost first: more than one where
/// functions were inlined. Reads the shared object's file each time.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn functions_at(ip: usize, mut each: impl FnMut(String, Option<PathBuf>, Option<u32>)) {
    let Some((path, base)) = loaded(ip).and_then(|module| Some((path(&module)?, module.dli_fbase)))
    else {
        return;
    };
    let Ok(object) = addr2line::Loader::new(path) else {
        return;
    };
    let address = (ip - base.addr()) as u64;
    let symbol = || {
        let name = object.find_symbol(address)?;
        Some(addr2line::demangle_auto(name.into(), None).into_owned())
    };
    let mut any = false;
    if let Ok(mut frames) = object.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let named = frame.function.as_ref();
            let name = named.and_then(|function| Some(function.demangle().ok()?.into_owned()));
            let Some(name) = name.or_else(symbol) else {
                continue;
            };
            any = true;
            let file = frame.location.as_ref().and_then(|location| location.file);
            let line = frame.location.as_ref().and_then(|location| location.line);
            each(name, file.map(PathBuf::from), line);
        }
    }
    if !any && let Some(name) = symbol() {
        each(name, None, None);
    }
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

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "reads a string of the dynamic linker's")]
fn path(module: &libc::Dl_info) -> Option<PathBuf> {
    if module.dli_fname.is_null() {
        return None;
    }
    // SAFETY: not null, and the dynamic linker's own, which lives as long as the module is loaded: its code was on the stack
    // when its address was captured. It is copied at once.
    let path = unsafe { std::ffi::CStr::from_ptr(module.dli_fname) };
    Some(PathBuf::from(path.to_str().ok()?))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn name_of(_: usize) -> Option<String> {
    None
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn functions_at(_: usize, _: impl FnMut(String, Option<PathBuf>, Option<u32>)) {}

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
        let names = |ip| {
            let mut names = Vec::new();
            functions_at(ip, |name, _, _| names.push(name));
            names
        };
        let found = names(libc + 1);
        assert!(
            found.iter().any(|name| name.ends_with("getpid")),
            "{found:?}"
        );
        assert_eq!(names(0x10), [""; 0]);
    }
}
