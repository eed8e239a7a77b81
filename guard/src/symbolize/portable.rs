//! The twin of `linux_x86_64` for every other target: crate `backtrace` looks up every name, and no address is known to be in a
//! module.

use crate::foreign_text::foreign_text;
use crate::symbolize::address::Address;
use crate::symbolize::module::LoadedModule;
use crate::symbolize::symbol::{self, Symbol};
use std::path::PathBuf;
use std::sync::Arc;

/// Returns `None`: the module is not known.
pub(crate) fn module_at(_: usize) -> Option<LoadedModule> {
    None
}

/// Returns the functions at each of the addresses, innermost first: more than one if functions were inlined there, none if
/// there is no name.
///
/// Takes the lock of crate `backtrace`, which every user of that crate in the program shares.
pub(crate) fn symbols_at(addresses: &[Address<'_>]) -> Vec<Arc<[Symbol]>> {
    (addresses.iter())
        .map(|address| by_backtrace(address.ip).into())
        .collect()
}

fn by_backtrace(ip: usize) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    backtrace::resolve(ip as *mut _, |symbol| {
        symbols.push(Symbol {
            name: symbol.name().as_ref().map(symbol::demangled),
            file: symbol
                .filename()
                .map(|file| PathBuf::from(foreign_text(&file.to_string_lossy()))),
            line: symbol.lineno(),
        });
    });
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_without_modules() {
        let ip = by_backtrace as *const () as usize + 1;
        let symbols = symbols_at(&[Address::new(ip, module_at(ip).as_ref())]);
        let name = symbols[0].last().and_then(|symbol| symbol.name.as_deref());
        assert_eq!(name, Some("handleguard::symbolize::portable::by_backtrace"));
    }
}
