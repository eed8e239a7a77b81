//! Looks for functions in the binary of a program.
//!
//! The file belongs to the process that is traced, so all of it may be a lie. Each read is checked against the file's size by
//! `object`, tables have a limit, and a name found in the file is only ever compared: what comes back are this crate's own
//! constants.

use object::LittleEndian as Little;
use object::elf::{EM_X86_64, FileHeader64, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STT_FUNC, Sym64};
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader, Sym};
use std::io::{Read, Seek};

/// How large a table of symbols, or of their names, may be.
const MAX_TABLE: u64 = 512 << 20;

/// How many sections a binary may have.
const MAX_SECTIONS: u32 = 1 << 16;

/// No name that is looked for is longer.
const MAX_NAME: usize = 255;

/// What a binary has of what was looked for.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// The functions, in no order.
    functions: Vec<&'static str>,
    /// Whether a function begins with the prefix.
    pub prefix: bool,
}

impl Found {
    /// Whether the binary has this function.
    pub fn has(&self, function: &str) -> bool {
        self.functions.contains(&function)
    }
}

/// Looks for the functions `wanted` in the symbols of an x86-64 ELF file, and for one that begins with `prefix`.
///
/// # Errors
///
/// Says why the file can't be read.
pub fn find(
    file: impl Read + Seek,
    wanted: &[&'static str],
    prefix: &str,
) -> Result<Found, String> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let damaged = |error: object::Error| format!("its binary is damaged: {error}");
    let header = FileHeader64::<Little>::parse(data).map_err(|_| NO_ELF.to_owned())?;
    let endian = header.endian().map_err(|_| NO_ELF.to_owned())?;
    if header.e_machine(endian) != EM_X86_64 {
        return Err(NO_ELF.to_owned());
    }
    if header.shnum(endian, data).map_err(damaged)? > MAX_SECTIONS {
        return Err(format!("its binary has more than {MAX_SECTIONS} sections"));
    }
    let sections = header.section_headers(endian, data).map_err(damaged)?;
    let mut found = Found::default();
    for section in sections {
        if !matches!(section.sh_type(endian), SHT_SYMTAB | SHT_DYNSYM) {
            continue;
        }
        let Some(strings) = sections.get(section.sh_link(endian) as usize) else {
            continue;
        };
        if section.sh_size(endian).max(strings.sh_size(endian)) > MAX_TABLE {
            return Err("its table of symbols is larger than 512 MiB".to_owned());
        }
        let symbols: &[Sym64<Little>] = section.data_as_array(endian, data).map_err(damaged)?;
        let strings = strings.data(endian, data).map_err(damaged)?;
        for symbol in symbols {
            // Where the name is imported, there is no code.
            if symbol.st_type() != STT_FUNC || symbol.st_shndx(endian) == SHN_UNDEF {
                continue;
            }
            let Some(name) = name(strings, symbol.st_name(endian)) else {
                continue;
            };
            found.prefix |= name.starts_with(prefix.as_bytes());
            if let Some(function) = wanted.iter().find(|wanted| wanted.as_bytes() == name)
                && !found.has(function)
            {
                found.functions.push(function);
            }
        }
    }
    Ok(found)
}

const NO_ELF: &str = "its binary is no ELF file for x86-64";

/// The name at `offset` of a table of names, if it is no longer than a name that is looked for.
fn name(strings: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = strings.get(offset as usize..)?;
    let rest = &rest[..rest.len().min(MAX_NAME + 1)];
    Some(&rest[..rest.iter().position(|&byte| byte == 0)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Cursor;

    fn own_binary() -> File {
        File::open("/proc/self/exe").expect("the binary of this test")
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let found = find(own_binary(), &["main", "mai", "malloc"], "mai").expect("an ELF file");
        // `malloc` is imported.
        assert_eq!(found.functions, ["main"]);
        assert!(found.prefix);
        assert!(found.has("main") && !found.has("malloc"));
        let found = find(own_binary(), &["nothing"], "no such prefix").expect("an ELF file");
        assert_eq!(found, Found::default());
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        for bytes in [
            b"".as_slice(),
            b"#!/bin/sh\n",
            &[0x7f, b'E', b'L', b'F'],
            &[0; 4096],
        ] {
            let error = find(Cursor::new(bytes), &["main"], "").expect_err("no ELF file");
            assert_eq!(error, NO_ELF);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_has_nothing() {
        let whole = fs::read("/proc/self/exe").expect("the binary of this test");
        for length in [63, 64, 65, 4096, whole.len() / 2, whole.len() - 1] {
            if let Ok(found) = find(Cursor::new(&whole[..length]), &["main"], "") {
                assert_eq!(found, Found::default(), "{length} bytes");
            }
        }
        // Each byte of the header that says where the sections are, and how many.
        let mut damaged = whole;
        for at in (0..8).chain(40..48).chain(58..64) {
            damaged[at] ^= 0xff;
            let _ = find(Cursor::new(&damaged), &["main"], "");
            damaged[at] ^= 0xff;
        }
    }
}
