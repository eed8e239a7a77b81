//! Reads the symbols and the debug information of loaded files, without crate `backtrace`. Debug information in a file of its
//! own is not found: code that was stripped is named by the symbols that are left.

use super::shared_object::{self, Loaded};
use crate::fork::mutex::ForkMutex;
use crate::symbolize::symbol::Symbol;
use addr2line::Loader;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many files are kept open. A stack has frames in a few.
const MAX_FILES: usize = 16;

/// The files that were read, oldest first.
static FILES: ForkMutex<Vec<(FileId, Loader)>> = ForkMutex::new();

/// What a file was when it was read: an add-on that is built and loaded anew has the same path.
#[derive(PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl FileId {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

/// Passes each function at `ip` to `each`, innermost first.
pub(super) fn symbols_at(ip: usize, each: impl FnMut(Symbol)) {
    let Some(Loaded { path, bias }) = shared_object::loaded_at(ip) else {
        return;
    };
    let Some(id) = FileId::of(&path) else {
        return;
    };
    // `ip` is a return address: the call lies before it, perhaps on another line or in another function.
    let address = ip.wrapping_sub(bias + 1) as u64;
    let symbols = FILES.with(|files| {
        let known = files.iter().position(|(known, _)| *known == id);
        let at = match known {
            Some(at) => at,
            None => {
                let loader = Loader::new(&path).ok()?;
                if files.len() >= MAX_FILES {
                    files.remove(0);
                }
                files.push((id, loader));
                files.len() - 1
            }
        };
        Some(look_up(&files[at].1, address))
    });
    symbols.into_iter().flatten().for_each(each);
}

fn look_up(file: &Loader, address: u64) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let by_table = || Some(demangled(file.find_symbol(address)?.into()));
    if let Ok(mut frames) = file.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref();
            let name = name.and_then(|name| Some(demangled(name.raw_name().ok()?)));
            let location = frame.location.as_ref();
            symbols.push(Symbol {
                name: name.or_else(by_table),
                file: location
                    .and_then(|location| location.file)
                    .map(PathBuf::from),
                line: location.and_then(|location| location.line),
            });
        }
    }
    if symbols.is_empty() {
        symbols.extend(by_table().map(|name| Symbol {
            name: Some(name),
            file: None,
            line: None,
        }));
    }
    symbols
}

fn demangled(name: std::borrow::Cow<'_, str>) -> String {
    addr2line::demangle_auto(name, None).into_owned()
}

/// Frees all that was read.
pub(super) fn forget() {
    FILES.with(Vec::clear);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbolize::symbol::by_backtrace;

    fn names(ip: usize) -> Vec<String> {
        let mut names = Vec::new();
        symbols_at(ip, |symbol| names.extend(symbol.name));
        names
    }

    #[test]
    fn code_of_the_program_has_the_same_names_as_by_backtrace() {
        let mut ips = Vec::new();
        backtrace::trace(|frame| {
            ips.push(frame.ip().addr());
            true
        });
        // The C library may have its debug information in a file of its own.
        ips.retain(|&ip| shared_object::name_of(ip).is_none());
        let mut compared = 0;
        for ip in ips {
            let (mut read, mut known) = (Vec::new(), Vec::new());
            symbols_at(ip, |symbol| read.push(symbol));
            by_backtrace(ip, |symbol| known.push(symbol));
            assert_eq!(read, known, "{ip:#x}");
            compared += known.len();
        }
        assert!(compared > 5, "{compared}");
    }

    #[test]
    fn code_of_a_shared_object_is_named() {
        let getpid = libc::getpid as *const () as usize;
        let names = names(getpid + 1);
        assert!(
            names.iter().any(|name| name.ends_with("getpid")),
            "{names:?}"
        );
    }

    #[test]
    fn an_address_without_code_has_no_name() {
        assert_eq!(names(0x10), [""; 0]);
    }

    #[test]
    fn a_file_that_was_forgotten_is_read_again() {
        let own = forget as *const () as usize + 1;
        let before = names(own);
        forget();
        assert_eq!(names(own), before);
        assert_eq!(
            before.last().map(String::as_str),
            Some("handleguard::symbolize::linux_x86_64::debug_info::forget")
        );
    }
}
