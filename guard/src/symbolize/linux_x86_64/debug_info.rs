//! The functions at addresses, by the debug information of a file.

use super::effort::Effort;
use super::elf_file::ElfFile;
use super::{unit, units};
use crate::symbolize::symbol::Symbol;

/// Returns the functions at each of the sorted addresses, innermost first; none where no debug information describes the code.
pub(super) fn functions_at(file: &ElfFile, probes: &[u64]) -> Vec<Vec<Symbol>> {
    let dwarf = file.dwarf();
    let mut found = vec![Vec::new(); probes.len()];
    let mut holders = units::holding(&dwarf, probes, || file.drop_pages());
    holders.sort_unstable();
    let mut effort = Effort::for_one_stack();
    for of_unit in holders.chunk_by(|one, other| one.unit == other.unit) {
        // An address may lie in several units: the first that names it counts.
        let wanted: Vec<usize> = (of_unit.iter())
            .map(|holder| holder.probe)
            .filter(|&at| found[at].is_empty())
            .collect();
        let own: Vec<u64> = wanted.iter().map(|&at| probes[at]).collect();
        file.drop_pages();
        if let Some(functions) = unit::functions_at(&dwarf, of_unit[0].unit, &own, &mut effort) {
            for (at, functions) in wanted.into_iter().zip(functions) {
                found[at] = functions;
            }
        }
    }
    file.drop_pages();
    found
}
