//! Finds the units of debug information that hold addresses.

use super::elf_file::Bytes;
use gimli::{
    Abbreviations, DebugAbbrevOffset, DebugInfoOffset, Dwarf, Reader, Unit, UnitHeader, UnitType,
};
use std::sync::Arc;

/// How far a walk over the headers of all units reads before it drops the pages.
const STEP: usize = 1 << 20;

/// How many units that may hold an address are kept, of all addresses: a damaged file may say that each unit holds each.
const MAX_HOLDERS: usize = 1 << 14;

/// A unit that may hold the code at an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Holder {
    /// Where the unit begins in `.debug_info`.
    pub(super) unit: usize,
    /// The number of the address.
    pub(super) probe: usize,
}

/// Returns the units that hold the sorted addresses. Calls `drop_pages` now and then.
pub(super) fn holding(
    dwarf: &Dwarf<Bytes<'_>>,
    probes: &[u64],
    drop_pages: impl Fn(),
) -> Vec<Holder> {
    let mut found = Found {
        probes,
        holders: Vec::new(),
    };
    let mut listed = listed(dwarf, &mut found);
    drop_pages();
    if found.is_complete() {
        return found.holders;
    }
    listed.sort_unstable();
    let mut units = dwarf.units();
    let mut roots = Roots {
        dwarf,
        abbreviations: None,
    };
    let mut dropped = 0;
    while let Ok(Some(header)) = units.next() {
        let Some(DebugInfoOffset(offset)) = header.debug_info_offset() else {
            continue;
        };
        if offset - dropped > STEP {
            drop_pages();
            dropped = offset;
        }
        if listed.binary_search(&offset).is_err() && may_have_code(&header) {
            // Damage to one unit leaves the others.
            let _ = roots.each_range(header, |range| found.add(offset, range));
        }
    }
    found.holders
}

/// The holders that were found so far.
struct Found<'a> {
    probes: &'a [u64],
    holders: Vec<Holder>,
}

impl Found<'_> {
    fn add(&mut self, unit: usize, range: gimli::Range) {
        for probe in held(self.probes, range) {
            if self.holders.len() < MAX_HOLDERS {
                self.holders.push(Holder { unit, probe });
            }
        }
    }

    fn is_complete(&self) -> bool {
        (0..self.probes.len()).all(|probe| self.holders.iter().any(|it| it.probe == probe))
    }
}

/// Returns the numbers of the sorted `probes` that lie in `range`.
pub(super) fn held(probes: &[u64], range: gimli::Range) -> std::ops::Range<usize> {
    // Linkers move the ranges of code that they leave out to 0.
    if range.begin == 0 || range.begin >= range.end {
        return 0..0;
    }
    let at = |address| probes.partition_point(|&probe| probe < address);
    at(range.begin)..at(range.end)
}

/// Adds the units that `.debug_aranges` finds, and returns all units that it lists with their code. With little memory, it
/// returns fewer.
fn listed(dwarf: &Dwarf<Bytes<'_>>, found: &mut Found<'_>) -> Vec<usize> {
    let mut listed = Vec::new();
    let mut headers = dwarf.debug_aranges.headers();
    while let Ok(Some(header)) = headers.next() {
        let DebugInfoOffset(unit) = header.debug_info_offset();
        let mut has_code = false;
        let mut entries = header.entries();
        // An error skips the range, as of one that overflows; after others comes the end.
        while let Some(entry) = entries.next().transpose() {
            let Ok(entry) = entry else { continue };
            has_code |= entry.length() != 0;
            found.add(unit, entry.range());
        }
        if has_code && listed.try_reserve(1).is_ok() {
            listed.push(unit);
        }
    }
    listed
}

fn may_have_code<R: Reader>(header: &UnitHeader<R>) -> bool {
    !matches!(
        header.type_(),
        UnitType::Partial | UnitType::Type { .. } | UnitType::SplitType { .. }
    )
}

/// Reads the first entries of units, which describe the whole unit.
struct Roots<'d, 'a> {
    dwarf: &'d Dwarf<Bytes<'a>>,
    /// Those that were read last: the units of one crate share them after link-time optimisation.
    abbreviations: Option<(DebugAbbrevOffset, Arc<Abbreviations>)>,
}

impl<'a> Roots<'_, 'a> {
    /// Passes the ranges of code of the whole unit to `each`.
    fn each_range(
        &mut self,
        header: UnitHeader<Bytes<'a>>,
        mut each: impl FnMut(gimli::Range),
    ) -> gimli::Result<()> {
        let at = header.debug_abbrev_offset();
        let abbreviations = match &self.abbreviations {
            Some((known, abbreviations)) if *known == at => Arc::clone(abbreviations),
            _ => {
                let read = self.dwarf.abbreviations(&header)?;
                self.abbreviations = Some((at, Arc::clone(&read)));
                read
            }
        };
        let unit = Unit::new_with_abbreviations(self.dwarf, header, abbreviations)?;
        let mut ranges = self.dwarf.unit_ranges(&unit)?;
        while let Some(range) = ranges.next()? {
            each(range);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf_file::ElfFile;
    use super::super::modules::module_at;
    use super::*;
    use gimli::EndianSlice;
    use std::cell::Cell;

    #[test]
    fn ranges_hold_sorted_addresses_but_for_code_that_was_left_out() {
        let range = |begin, end| gimli::Range { begin, end };
        assert_eq!(held(&[1, 5, 7, 9], range(5, 9)), 1..3);
        assert_eq!(held(&[1, 5, 7, 9], range(6, 7)), 2..2);
        assert_eq!(held(&[1, 5, 7, 9], range(9, 5)), 0..0);
        assert_eq!(held(&[1, 5, 7, 9], range(0, 9)), 0..0);
    }

    #[test]
    fn a_unit_is_found_by_its_address_ranges_and_without_them() {
        let own = held as *const () as usize;
        let loaded = module_at(own).unwrap();
        let file = ElfFile::open(&loaded.module).ok().unwrap();
        let mut dwarf = file.dwarf();
        let probes = [0x10, (own - loaded.bias) as u64];
        let drops = Cell::new(0);
        let count = || drops.set(drops.get() + 1);
        let listed = holding(&dwarf, &probes[1..], count);
        assert_eq!(listed.len(), 1);
        assert_eq!(drops.get(), 1, "no walk over all units");
        let Holder { unit, probe: 0 } = listed[0] else {
            panic!("{listed:?}");
        };
        // The first address is in no unit, so all are looked through.
        let in_second = [Holder { unit, probe: 1 }];
        assert_eq!(holding(&dwarf, &probes, count), in_second);
        dwarf.debug_aranges = EndianSlice::new(&[], gimli::LittleEndian).into();
        assert_eq!(holding(&dwarf, &probes, count), in_second);
        assert!(drops.get() > 5, "a walk keeps no more than a few MiB");
    }
}
