//! The functions at an address, by crate `backtrace`.

use std::path::{Path, PathBuf};

/// One function at an address, as the program's symbols and debug information have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    /// The function's name, demangled.
    pub(crate) name: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) line: Option<u32>,
}

/// Passes each function at `ip` to `each`, innermost first: more than one if functions were inlined there.
///
/// Takes the lock of crate `backtrace`, which every user of that crate in the program shares.
pub(crate) fn by_backtrace(ip: usize, mut each: impl FnMut(Symbol)) {
    backtrace::resolve(ip as *mut _, |symbol| {
        each(Symbol {
            name: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(Path::to_owned),
            line: symbol.lineno(),
        });
    });
}

/// Frees the symbols that `backtrace` keeps, tens of MiB for a large program. The next look-up reads them again.
pub(crate) fn forget_in_backtrace() {
    backtrace::clear_symbol_cache();
}
