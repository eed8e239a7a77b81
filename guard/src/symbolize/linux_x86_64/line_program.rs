//! The files and lines of code, by the line program of a unit.

use super::elf_file::Bytes;
use super::units::held;
use crate::foreign_text::foreign_text;
use gimli::{Dwarf, Range, Unit};
use std::path::PathBuf;

/// A line of source: the number of its file in the unit, and its own.
pub(super) type Line = (u64, Option<u32>);

/// Returns the line of each of the sorted addresses.
pub(super) fn lines(unit: &Unit<Bytes<'_>>, probes: &[u64]) -> Vec<Option<Line>> {
    let mut lines = vec![None; probes.len()];
    // What was found before an error stays.
    let _ = run(unit, probes, &mut lines);
    lines
}

fn run(unit: &Unit<Bytes<'_>>, probes: &[u64], lines: &mut [Option<Line>]) -> gimli::Result<()> {
    let Some(program) = unit.line_program.clone() else {
        return Ok(());
    };
    let mut rows = program.rows();
    // The row that holds until the next one with another address.
    let mut last: Option<(u64, Line)> = None;
    let mut is_left_out = false;
    while let Some((_, row)) = rows.next_row()? {
        match last {
            // Linkers move code that they leave out to 0.
            None => is_left_out = row.address() == 0,
            Some((begin, line)) if !is_left_out => {
                let end = row.address();
                for at in held(probes, Range { begin, end }) {
                    lines[at].get_or_insert(line);
                }
            }
            Some(_) => {}
        }
        last = (!row.end_sequence()).then(|| {
            let line = row.line().and_then(|line| u32::try_from(line.get()).ok());
            (row.address(), (row.file_index(), line))
        });
    }
    Ok(())
}

/// Returns the path of a file of the unit.
pub(super) fn path(dwarf: &Dwarf<Bytes<'_>>, unit: &Unit<Bytes<'_>>, file: u64) -> Option<PathBuf> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(file)?;
    let text = |value| {
        let bytes = dwarf.attr_string(unit, value).ok()?;
        Some(bytes.to_string_lossy().into_owned())
    };
    let mut path = PathBuf::new();
    if let Some(folder) = &unit.comp_dir {
        path.push(&*folder.to_string_lossy());
    }
    // Directory 0 is the one that the compiler ran in.
    if file.directory_index() != 0
        && let Some(folder) = file.directory(header)
    {
        path.push(text(folder)?);
    }
    path.push(text(file.path_name())?);
    Some(PathBuf::from(foreign_text(&path.to_string_lossy())))
}
