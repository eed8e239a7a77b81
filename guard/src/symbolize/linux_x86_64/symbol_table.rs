//! Names by the symbol table of a file: of code without debug information.

use super::elf_file::{ElfFile, Header};
use crate::symbolize::symbol::{Symbol, demangled};
use backtrace::SymbolName;
use object::LittleEndian;
use object::elf;
use object::read::elf::{Sym, SymbolTable};

/// Gives the name of its symbol to each function without a name, and to each address without a function. `symbols` are those at
/// the sorted `probes`.
pub(super) fn name_the_rest(file: &ElfFile, probes: &[u64], symbols: &mut [Vec<Symbol>]) {
    let is_named =
        |of: &Vec<Symbol>| !of.is_empty() && of.iter().all(|symbol| symbol.name.is_some());
    let unnamed: Vec<usize> = (0..probes.len())
        .filter(|&at| !is_named(&symbols[at]))
        .collect();
    if unnamed.is_empty() {
        return;
    }
    let wanted: Vec<u64> = unnamed.iter().map(|&at| probes[at]).collect();
    for (at, name) in unnamed.into_iter().zip(names(file, &wanted)) {
        let Some(name) = name else { continue };
        let name = demangled(&SymbolName::new(name));
        if symbols[at].is_empty() {
            symbols[at].push(Symbol {
                name: None,
                file: None,
                line: None,
            });
        }
        for symbol in &mut symbols[at] {
            symbol.name.get_or_insert_with(|| name.clone());
        }
    }
}

/// Returns the name of the symbol at each of the sorted addresses, after one pass over the table.
fn names<'a>(file: &'a ElfFile, probes: &[u64]) -> Vec<Option<&'a [u8]>> {
    let Some(table) = table(file) else {
        return vec![None; probes.len()];
    };
    let mut best: Vec<Option<&elf::Sym64<LittleEndian>>> = vec![None; probes.len()];
    for symbol in table.iter() {
        let start = symbol.st_value(LittleEndian);
        let end = start.saturating_add(symbol.st_size(LittleEndian).max(1));
        let first = probes.partition_point(|&probe| probe < start);
        if probes.get(first).is_none_or(|&probe| probe >= end) || !is_code(symbol) {
            continue;
        }
        let held = probes[first..].iter().take_while(|&&probe| probe < end);
        for best in best[first..].iter_mut().zip(held).map(|(best, _)| best) {
            if best.is_none_or(|best| rank(best) < rank(symbol)) {
                *best = Some(symbol);
            }
        }
    }
    let name = |symbol: &elf::Sym64<LittleEndian>| table.symbol_name(LittleEndian, symbol).ok();
    best.into_iter()
        .map(|symbol| symbol.and_then(name).filter(|name| !name.is_empty()))
        .collect()
}

/// Returns the table of all symbols, or of those for other files if it was stripped.
fn table(file: &ElfFile) -> Option<SymbolTable<'_, Header>> {
    let sections = file.sections()?;
    [elf::SHT_SYMTAB, elf::SHT_DYNSYM]
        .into_iter()
        .filter_map(|kind| sections.symbols(LittleEndian, file.bytes(), kind).ok())
        .find(|table| !table.is_empty())
}

fn is_code(symbol: &elf::Sym64<LittleEndian>) -> bool {
    !symbol.is_undefined(LittleEndian)
        && matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC)
}

/// Orders the symbols that hold an address: the last one names it. It begins last, and other files know it.
fn rank(symbol: &elf::Sym64<LittleEndian>) -> (u64, u8) {
    let bind = match symbol.st_bind() {
        elf::STB_GLOBAL => 2,
        elf::STB_WEAK => 1,
        _ => 0,
    };
    (symbol.st_value(LittleEndian), bind)
}

#[cfg(test)]
mod tests {
    use super::super::modules::module_at;
    use super::*;

    /// Opens the file that holds the code at `address`, and returns that address in it.
    fn file_at(address: usize) -> (ElfFile, u64) {
        let loaded = module_at(address).unwrap();
        let file = ElfFile::open(&loaded.module).ok().unwrap();
        (file, (address - loaded.bias) as u64)
    }

    fn shown(name: Option<&[u8]>) -> Option<String> {
        name.map(|name| demangled(&SymbolName::new(name)))
    }

    #[test]
    fn each_byte_of_a_function_has_its_name_and_the_byte_before_has_not() {
        let (file, start) = file_at(file_at as *const () as usize);
        let names = names(&file, &[start - 1, start, start + 1]);
        let own = Some(concat!(module_path!(), "::file_at").to_owned());
        assert_ne!(shown(names[0]), own);
        assert_eq!(shown(names[1]), own);
        assert_eq!(shown(names[2]), own);
    }

    #[test]
    fn a_file_without_its_full_table_has_the_names_for_other_files() {
        let (file, start) = file_at(libc::getpid as *const () as usize);
        let name = shown(names(&file, &[start])[0]).unwrap();
        assert!(name.ends_with("getpid"), "{name}");
    }

    #[test]
    fn only_what_has_no_name_gets_one() {
        let (file, start) = file_at(file_at as *const () as usize);
        let symbol = |name: Option<&str>| Symbol {
            name: name.map(str::to_owned),
            file: None,
            line: Some(1),
        };
        let own = concat!(module_path!(), "::file_at");
        let mut symbols = [
            Vec::new(),
            vec![symbol(Some("inlined")), symbol(None)],
            vec![symbol(Some("named"))],
        ];
        name_the_rest(&file, &[0x10, start, start + 1], &mut symbols);
        assert_eq!(symbols[0], []);
        assert_eq!(symbols[1], [symbol(Some("inlined")), symbol(Some(own))]);
        assert_eq!(symbols[2], [symbol(Some("named"))]);
    }
}
