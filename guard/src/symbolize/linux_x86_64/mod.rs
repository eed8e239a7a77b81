//! Looks up names on x86-64 Linux: reads the files of the modules, without crate `backtrace`.
//!
//! That crate takes a lock, which another thread of the parent may hold at a fork and then never releases in the child. It lists
//! the shared objects once, so it knows none that is loaded later, as add-ons are. And it keeps an index of each file, tens of
//! MiB for a large program.
//!
//! Here, all addresses of a stack that lie in one file are looked up at once, and of that file nothing is kept but the names:
//!
//! ```text
//!   ElfFile        maps the file, if it still is the one that was loaded
//!   units          which unit of the debug information holds each address
//!   unit           the functions of one unit that hold an address, inlined ones too
//!   line_program   the file and line of an address in that unit
//!   symbol_table   names what no debug information names
//!   Results        remembers the names
//! ```
//!
//! Debug information of a stripped file is read where distributions install it, by the build id. Where it is compressed or split
//! (`.dwo`), it is not read: such code has the names of the symbol table.

mod debug_info;
mod effort;
mod elf_file;
mod line_program;
mod modules;
mod results;
mod symbol_table;
mod unit;
mod units;

use crate::symbolize::address::Address;
use crate::symbolize::module::Module;
use crate::symbolize::symbol::Symbol;
use elf_file::{ElfFile, Unreadable};
use std::sync::Arc;

pub(crate) use modules::module_at;

/// Returns the functions at each of the addresses, innermost first: more than one if functions were inlined there, none if
/// there is no name.
pub(crate) fn symbols_at(addresses: &[Address<'_>]) -> Vec<Arc<[Symbol]>> {
    let mut symbols: Vec<Option<Arc<[Symbol]>>> = results::known(addresses);
    while let Some(first) = symbols.iter().position(Option::is_none) {
        let Some((module, _)) = addresses[first].module else {
            symbols[first] = Some(Arc::new([]));
            continue;
        };
        // All addresses in that module.
        let of_module: Vec<(usize, u64)> = (first..addresses.len())
            .filter(|&at| symbols[at].is_none())
            .filter_map(|at| {
                let (other, offset) = addresses[at].module?;
                (other.id() == module.id()).then_some((at, offset))
            })
            .collect();
        let offsets = of_module.iter().map(|&(_, offset)| offset).collect();
        let named = symbols_in(module, offsets);
        for (at, offset) in of_module {
            let found = named.as_ref().and_then(|named| named(offset));
            if let Some(found) = &found {
                results::remember(module, offset, found);
            }
            symbols[at] = Some(found.unwrap_or_default());
        }
    }
    symbols.into_iter().flatten().collect()
}

/// Looks up the functions at return addresses in the file of `module`; returns how to get those of each. `None` if the file
/// cannot be read.
fn symbols_in(
    module: &Module,
    offsets: Vec<u64>,
) -> Option<impl Fn(u64) -> Option<Arc<[Symbol]>> + use<>> {
    // The call lies before its return address, perhaps on another line or in another function.
    let probe = |offset: u64| offset.wrapping_sub(1);
    let mut probes: Vec<u64> = offsets.into_iter().map(probe).collect();
    probes.sort_unstable();
    probes.dedup();
    let symbols = read(module, &probes)?;
    Some(move |offset| {
        let at = probes.binary_search(&probe(offset)).ok()?;
        symbols.get(at).cloned()
    })
}

/// Returns the functions at each of the sorted addresses; `None` if the file cannot be read.
fn read(module: &Module, probes: &[u64]) -> Option<Vec<Arc<[Symbol]>>> {
    if module.is_unreadable() {
        return None;
    }
    let file = match ElfFile::open(module) {
        Ok(file) => file,
        Err(Unreadable::Now) => return None,
        Err(Unreadable::Always) => {
            module.set_unreadable();
            return None;
        }
    };
    let separate = if file.has_debug_info() {
        None
    } else {
        ElfFile::open_debug_file(module)
    };
    let mut symbols = debug_info::functions_at(separate.as_ref().unwrap_or(&file), probes);
    for file in separate.iter().chain([&file]) {
        symbol_table::name_the_rest(file, probes, &mut symbols);
    }
    Some(symbols.into_iter().map(Arc::from).collect())
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbolize::located_stack::LocatedStack;
    use crate::symbolize::module::Identity;
    use crate::symbolize::portable;
    use crate::unwind::platform::function_start;
    use std::path::PathBuf;

    fn symbols(ip: usize) -> Arc<[Symbol]> {
        let loaded = module_at(ip);
        symbols_at(&[Address::new(ip, loaded.as_ref())]).remove(0)
    }

    #[test]
    fn the_stack_has_the_same_names_as_by_backtrace() {
        let mut ips = Vec::new();
        backtrace::trace(|frame| {
            ips.push(frame.ip().addr());
            true
        });
        let program = module_at(symbols as *const () as usize).unwrap();
        // The C library may have its debug information in a file of its own.
        ips.retain(|ip| program.range.contains(ip));
        let addresses: Vec<_> = (ips.iter())
            .map(|&ip| Address::new(ip, Some(&program)))
            .collect();
        let read = symbols_at(&addresses);
        assert_eq!(read, portable::symbols_at(&addresses));
        assert!(read.iter().map(|it| it.len()).sum::<usize>() > 5);
    }

    #[test]
    fn code_all_over_the_program_has_the_same_names_as_by_backtrace() {
        let program = module_at(symbols as *const () as usize).unwrap();
        let ips = (program.range.clone()).step_by(program.range.len() / 1_000);
        let ips = ips.filter(|&ip| function_start(ip).is_some());
        let addresses: Vec<_> = ips.map(|ip| Address::new(ip, Some(&program))).collect();
        let read = symbols_at(&addresses);
        let known = portable::symbols_at(&addresses);
        let (mut same, mut inlined, mut other) = (0, 0, 0);
        // That crate takes the first byte after a function as part of it, but no call lies there. And code that the compiler
        // has merged has several symbols.
        let is_by_table = |it: &[Symbol]| it.is_empty() || it.len() == 1 && it[0].file.is_none();
        for ((address, read), known) in addresses.iter().zip(read).zip(known) {
            if read != known && is_by_table(&read) {
                other += 1;
                continue;
            }
            assert_eq!(read, known, "{:#x}", address.ip);
            same += usize::from(!known.is_empty());
            inlined += usize::from(known.len() > 1);
        }
        assert!(same > 200 && inlined > 20, "{same}, {inlined}");
        assert!(other < same / 50, "{other}, {same}");
    }

    #[test]
    fn code_of_a_shared_object_is_named() {
        let symbols = symbols(libc::getpid as *const () as usize + 1);
        let name = symbols[0].name.as_deref().unwrap();
        assert!(name.ends_with("getpid"), "{name}");
    }

    #[test]
    fn an_address_without_code_has_no_name() {
        assert_eq!(*symbols(0x10), []);
        assert_eq!(symbols_at(&[]), [] as [Arc<[Symbol]>; 0]);
    }

    #[test]
    fn names_come_in_the_order_of_the_addresses() {
        let own = symbols as *const () as usize + 1;
        let libc = libc::getpid as *const () as usize + 1;
        let (program, c_library) = (module_at(own).unwrap(), module_at(libc).unwrap());
        let addresses = [
            Address::new(libc, Some(&c_library)),
            Address::new(0x10, None),
            Address::new(own, Some(&program)),
            Address::new(libc, Some(&c_library)),
        ];
        let named = symbols_at(&addresses);
        assert_eq!(named[0], symbols(libc));
        assert_eq!(*named[1], []);
        assert_eq!(named[2], symbols(own));
        assert_eq!(named[3], named[0]);
        let own = named[2].last().and_then(|it| it.name.as_deref());
        assert_eq!(
            own,
            Some("handleguard::symbolize::linux_x86_64::tests::symbols")
        );
    }

    #[test]
    fn a_file_that_is_not_the_loaded_one_is_read_once_and_names_nothing() {
        let program = module_at(symbols as *const () as usize).unwrap();
        let other = Arc::new(Module::new(
            false,
            vec![PathBuf::from("/proc/self/exe")],
            Identity::BuildId([1; 20].into()),
        ));
        let own = Address::new(symbols as *const () as usize + 1, Some(&program));
        let address = Address {
            module: own.module.map(|(_, offset)| (&other, offset)),
            ..own
        };
        assert_eq!(*symbols_at(&[address])[0], []);
        assert!(other.is_unreadable());
        assert_eq!(*symbols_at(&[address])[0], []);
    }

    #[expect(unsafe_code, reason = "loads a library and unloads it")]
    #[test]
    fn code_of_a_library_is_named_after_it_was_unloaded() {
        // A part of glibc that nobody loads otherwise.
        // SAFETY: a library of glibc, which does nothing when it is loaded; of it only an address is taken.
        let (library, function) = unsafe {
            let library = libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW);
            assert!(!library.is_null());
            (library, libc::dlsym(library, c"ns_format_ttl".as_ptr()))
        };
        let ip = function.addr() + 1;
        let stack = LocatedStack::new(&[ip]);
        // SAFETY: loaded above, and no code of it runs.
        assert_eq!(unsafe { libc::dlclose(library) }, 0);
        assert!(module_at(ip).is_none(), "unloaded");
        let address = stack.addresses().next().unwrap();
        let (module, _) = address.module.unwrap();
        assert_eq!(module.shared_object(), Some("libresolv.so.2"));
        let symbols = symbols_at(&[address]);
        let name = symbols[0][0].name.as_deref().unwrap();
        assert!(name.ends_with("ns_format_ttl"), "{name}");
    }
}
