//! The functions of one unit of debug information.

use super::effort::Effort;
use super::elf_file::Bytes;
use super::line_program::{self, Line};
use super::units::held;
use crate::symbolize::symbol::{Symbol, demangled};
use backtrace::SymbolName;
use gimli::{
    Abbreviation, AttributeValue, DebugInfoOffset, Dwarf, EntriesRaw, Range, Unit, UnitOffset,
};

/// How many references lead from a function to its name at most.
const MAX_REFERENCES: usize = 16;

/// How many functions are inlined into each other at most.
const MAX_INLINED: usize = 256;

/// Returns the functions at each of the sorted addresses, innermost first, by the unit that begins there in `.debug_info`.
pub(super) fn functions_at(
    dwarf: &Dwarf<Bytes<'_>>,
    unit: usize,
    probes: &[u64],
    effort: &mut Effort,
) -> Option<Vec<Vec<Symbol>>> {
    let header = dwarf.unit_header(DebugInfoOffset(unit)).ok()?;
    let unit = dwarf.unit(header).ok()?;
    let mut calls = Calls {
        probes,
        of: vec![Vec::new(); probes.len()],
    };
    // What was found before an error stays.
    let _ = calls.read(dwarf, &unit, effort);
    let lines = line_program::lines(&unit, probes);
    let mut names = Names {
        dwarf,
        unit: &unit,
        foreign: None,
        effort,
    };
    let functions = calls.of.iter().zip(lines).map(|(calls, mut line)| {
        let mut symbols = Vec::new();
        let symbol = |name, line: Option<Line>| Symbol {
            name,
            file: line.and_then(|(file, _)| line_program::path(dwarf, &unit, file)),
            line: line.and_then(|(_, line)| line),
        };
        for call in calls.iter().rev() {
            symbols.push(symbol(names.of(call.function), line));
            line = Some(call.from);
        }
        if symbols.is_empty() && line.is_some() {
            symbols.push(symbol(None, line));
        }
        symbols
    });
    Some(functions.collect())
}

/// A function that holds an address, or that was inlined there.
#[derive(Clone, Copy)]
struct Call {
    function: UnitOffset,
    /// How deep in the tree of entries it lies.
    depth: isize,
    /// Where an inlined function is called.
    from: Line,
}

/// The calls that lead to each address, outermost first.
struct Calls<'a> {
    probes: &'a [u64],
    of: Vec<Vec<Call>>,
}

impl Calls<'_> {
    fn read(
        &mut self,
        dwarf: &Dwarf<Bytes<'_>>,
        unit: &Unit<Bytes<'_>>,
        effort: &mut Effort,
    ) -> gimli::Result<()> {
        let mut entries = unit.entries_raw(None)?;
        // The depth of the function whose entries are read, if it holds an address.
        let mut within: Option<isize> = None;
        while !entries.is_empty() {
            let function = entries.next_offset();
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            if within.is_some_and(|outer| depth <= outer) {
                within = None;
                if self.of.iter().all(|calls| !calls.is_empty()) {
                    break;
                }
            }
            let is_inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine;
            let may_hold =
                abbreviation.tag() == gimli::DW_TAG_subprogram || is_inlined && within.is_some();
            if !may_hold || !has_code(abbreviation) {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let code = Code::read(&mut entries, abbreviation, dwarf, unit)?;
            let call = Call {
                function,
                depth,
                from: code.called_from,
            };
            code.each_range(dwarf, unit, effort, |range| {
                for at in held(self.probes, range) {
                    let calls = &mut self.of[at];
                    if !is_inlined {
                        calls.clear();
                        within = Some(depth);
                    } else if calls.len() >= MAX_INLINED
                        || calls.last().is_none_or(|outer| outer.depth >= depth)
                    {
                        continue;
                    }
                    calls.push(call);
                }
            })?;
        }
        Ok(())
    }
}

fn has_code(abbreviation: &Abbreviation) -> bool {
    (abbreviation.attributes().iter())
        .any(|it| matches!(it.name(), gimli::DW_AT_low_pc | gimli::DW_AT_ranges))
}

/// What an entry says about the code of a function.
#[derive(Default)]
struct Code {
    begin: Option<u64>,
    end: Option<u64>,
    size: Option<u64>,
    ranges: Option<gimli::RangeListsOffset>,
    called_from: Line,
}

impl Code {
    fn read<'a>(
        entries: &mut EntriesRaw<'_, Bytes<'a>>,
        abbreviation: &Abbreviation,
        dwarf: &Dwarf<Bytes<'a>>,
        unit: &Unit<Bytes<'a>>,
    ) -> gimli::Result<Self> {
        let mut code = Self::default();
        for &specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(specification)?;
            let value = attribute.value();
            match attribute.name() {
                gimli::DW_AT_low_pc => code.begin = dwarf.attr_address(unit, value)?,
                gimli::DW_AT_high_pc => match value {
                    AttributeValue::Udata(size) => code.size = Some(size),
                    value => code.end = dwarf.attr_address(unit, value)?,
                },
                gimli::DW_AT_ranges => code.ranges = dwarf.attr_ranges_offset(unit, value)?,
                gimli::DW_AT_call_file => {
                    if let AttributeValue::FileIndex(file) = value {
                        code.called_from.0 = file;
                    }
                }
                gimli::DW_AT_call_line => {
                    let line = attribute.udata_value();
                    code.called_from.1 = line
                        .and_then(|line| u32::try_from(line).ok())
                        .filter(|&line| line != 0);
                }
                _ => {}
            }
        }
        Ok(code)
    }

    fn each_range(
        &self,
        dwarf: &Dwarf<Bytes<'_>>,
        unit: &Unit<Bytes<'_>>,
        effort: &mut Effort,
        mut each: impl FnMut(Range),
    ) -> gimli::Result<()> {
        if let Some(ranges) = self.ranges {
            let mut ranges = dwarf.ranges(unit, ranges)?;
            while effort.allows_range()
                && let Some(range) = ranges.next()?
            {
                each(range);
            }
        } else if let Some(begin) = self.begin
            && effort.allows_range()
        {
            let end = self
                .end
                .or(self.size.map(|size| begin.saturating_add(size)));
            each(Range {
                begin,
                end: end.unwrap_or(begin),
            });
        }
        Ok(())
    }
}

/// Finds the names of functions, which may stand in other entries and other units.
struct Names<'u, 'a> {
    dwarf: &'u Dwarf<Bytes<'a>>,
    unit: &'u Unit<Bytes<'a>>,
    /// The other unit that was needed last.
    foreign: Option<Unit<Bytes<'a>>>,
    effort: &'u mut Effort,
}

impl Names<'_, '_> {
    fn of(&mut self, function: UnitOffset) -> Option<String> {
        let mut at = Some(Entry {
            is_foreign: false,
            offset: function,
        });
        for _ in 0..MAX_REFERENCES {
            match self.read(at?).ok()? {
                Ok(name) => return Some(name),
                Err(next) => at = next.and_then(|next| self.follow(next)),
            }
        }
        None
    }

    /// Returns the name in an entry, or else the reference from it that leads to the name.
    fn read(&self, entry: Entry) -> gimli::Result<Result<String, Option<Reference>>> {
        let unit = match &self.foreign {
            Some(foreign) if entry.is_foreign => foreign,
            _ => self.unit,
        };
        let mut entries = unit.entries_raw(Some(entry.offset))?;
        let Some(abbreviation) = entries.read_abbreviation()? else {
            return Ok(Err(None));
        };
        let (mut linkage_name, mut name, mut next) = (None, None, None);
        for &specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(specification)?;
            let text = || self.dwarf.attr_string(unit, attribute.value()).ok();
            match attribute.name() {
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => linkage_name = text(),
                gimli::DW_AT_name => name = text(),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                    next = match attribute.value() {
                        AttributeValue::UnitRef(offset) => {
                            Some(Reference::Within(Entry { offset, ..entry }))
                        }
                        AttributeValue::DebugInfoRef(offset) => Some(Reference::Across(offset)),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        let name = linkage_name.or(name).filter(|name| !name.is_empty());
        Ok(name
            .map(|name| demangled(&SymbolName::new(name.slice())))
            .ok_or(next))
    }

    fn follow(&mut self, reference: Reference) -> Option<Entry> {
        let offset = match reference {
            Reference::Within(entry) => return Some(entry),
            Reference::Across(offset) => offset,
        };
        let in_unit = |unit: &Unit<_>| offset.to_unit_offset(&unit.header);
        let of = |is_foreign| move |offset| Entry { is_foreign, offset };
        if let Some(offset) = in_unit(self.unit) {
            return Some(of(false)(offset));
        }
        if self.foreign.as_ref().and_then(in_unit).is_none() {
            if !self.effort.allows_unit() {
                return None;
            }
            let mut units = self.dwarf.units();
            let header = loop {
                let header = units.next().ok()??;
                if offset.to_unit_offset(&header).is_some() {
                    break header;
                }
            };
            self.foreign = Some(self.dwarf.unit(header).ok()?);
        }
        self.foreign.as_ref().and_then(in_unit).map(of(true))
    }
}

/// An entry of the unit, or of the other one.
#[derive(Clone, Copy)]
struct Entry {
    is_foreign: bool,
    offset: UnitOffset,
}

/// Leads from one entry to another.
enum Reference {
    Within(Entry),
    Across(DebugInfoOffset),
}

#[cfg(test)]
mod tests {
    use super::super::elf_file::ElfFile;
    use super::super::modules::module_at;
    use super::super::units;
    use super::*;
    use std::ffi::OsStr;
    use std::hint::black_box;
    use std::path::PathBuf;

    #[inline(always)]
    fn innermost(n: u32) -> u32 {
        black_box(black_box(n).wrapping_mul(3))
    }
    const INNERMOST: u32 = line!() - 2;

    #[inline(always)]
    fn middle(n: u32) -> u32 {
        innermost(n)
    }
    const MIDDLE: u32 = line!() - 2;

    #[inline(never)]
    fn outermost(n: u32) -> u32 {
        middle(n)
    }
    const OUTERMOST: u32 = line!() - 2;

    #[test]
    fn functions_inlined_into_each_other_are_named_with_their_lines() {
        outermost(black_box(1));
        let start = outermost as *const () as usize;
        let loaded = module_at(start).unwrap();
        let file = ElfFile::open(&loaded.module).ok().unwrap();
        let dwarf = file.dwarf();
        let start = (start - loaded.bias) as u64;
        let probes: Vec<u64> = (start..start + 32).collect();
        let holders = units::holding(&dwarf, &probes, || ());
        let unit = holders[0].unit;
        assert_eq!(holders[0].probe, 0);
        let functions = functions_at(&dwarf, unit, &probes, &mut Effort::for_one_stack()).unwrap();
        let own = |name: &str, line| Symbol {
            name: Some(format!("{}::{name}", module_path!())),
            file: Some(PathBuf::from(file!())),
            line: Some(line),
        };
        let all = [
            own("innermost", INNERMOST),
            own("middle", MIDDLE),
            own("outermost", OUTERMOST),
        ];
        // What `innermost` calls may be inlined too.
        let is_whole = |it: &Vec<Symbol>| shown(it).ends_with(&shown(&all));
        assert!(functions.iter().any(is_whole), "{functions:#?}");
        assert_eq!(
            shown(&functions[0]).last().unwrap().0,
            all[2].name.as_deref()
        );
    }

    /// The names and lines, and the names of the files without folders.
    fn shown(symbols: &[Symbol]) -> Vec<(Option<&str>, Option<&OsStr>, Option<u32>)> {
        (symbols.iter())
            .map(|it| {
                (
                    it.name.as_deref(),
                    it.file.as_ref().and_then(|file| file.file_name()),
                    it.line,
                )
            })
            .collect()
    }

    #[test]
    fn an_address_outside_of_a_unit_has_no_function_in_it() {
        let loaded = module_at(outermost as *const () as usize).unwrap();
        let file = ElfFile::open(&loaded.module).ok().unwrap();
        let dwarf = file.dwarf();
        let functions = functions_at(&dwarf, 0, &[0x10], &mut Effort::for_one_stack()).unwrap();
        assert_eq!(functions, [[]]);
        assert_eq!(
            functions_at(&dwarf, 1, &[0x10], &mut Effort::for_one_stack()),
            None,
            "no unit begins there"
        );
    }
}
