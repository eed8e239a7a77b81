//! The file of a module, mapped into memory while names are looked up in it.
#![expect(unsafe_code, reason = "maps a file")]

use super::modules::build_id;
use crate::symbolize::module::{Identity, Module};
use gimli::EndianSlice;
use memmap2::{Mmap, UncheckedAdvice};
use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) type Header = elf::FileHeader64<LittleEndian>;
pub(super) type Bytes<'a> = EndianSlice<'a, gimli::LittleEndian>;

/// How much memory must be free. What one look-up keeps on the heap is less.
const ROOM: usize = 2 << 20;

/// A mapped file. Its pages count as memory of the process from the first read until they are dropped or it is.
pub(super) struct ElfFile {
    map: Mmap,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unreadable {
    /// No file of that path is the one that was loaded, and none will be.
    Always,
    /// The process has too little memory, or too few descriptors, now.
    Now,
}

impl ElfFile {
    /// Maps the file that `module` was loaded from.
    pub(super) fn open(module: &Module) -> Result<Self, Unreadable> {
        let mut why = Unreadable::Always;
        for path in module.paths() {
            match Self::open_path(path) {
                Ok(file) if file.is(module.identity()) => return Ok(file),
                Err(Unreadable::Now) => why = Unreadable::Now,
                Ok(_) | Err(Unreadable::Always) => {}
            }
        }
        Err(why)
    }

    /// Maps the file that holds the debug information of a stripped module, if it is installed.
    pub(super) fn open_debug_file(module: &Module) -> Option<Self> {
        let id = module.identity().build_id()?.to_string();
        let (folder, name) = id.split_at_checked(2)?;
        let path = format!("/usr/lib/debug/.build-id/{folder}/{name}.debug");
        let file = Self::open_path(Path::new(&path)).ok()?;
        file.is(module.identity()).then_some(file)
    }

    fn open_path(path: &Path) -> Result<Self, Unreadable> {
        let why = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory => {
                Unreadable::Always
            }
            _ => Unreadable::Now,
        };
        let file = OpenOptions::new()
            .read(true)
            // A pipe may have taken the place of the file.
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(why)?;
        let metadata = file.metadata().map_err(why)?;
        if !metadata.is_file() || metadata.len() == 0 {
            return Err(Unreadable::Always);
        }
        let map = map(&file).map_err(|_| Unreadable::Now)?;
        let mut room = Vec::<u8>::new();
        if black_box(&mut room).try_reserve_exact(ROOM).is_err() {
            return Err(Unreadable::Now);
        }
        Ok(Self { map })
    }

    fn is(&self, identity: &Identity) -> bool {
        self.identity(identity) == Some(true)
    }

    fn identity(&self, loaded: &Identity) -> Option<bool> {
        let headers = self.header()?.program_headers(LittleEndian, self.data());
        let headers = headers.ok()?;
        let mut notes =
            (headers.iter()).filter_map(|it| it.notes(LittleEndian, self.data()).ok().flatten());
        let own_id = notes.find_map(build_id);
        Some(match loaded {
            Identity::BuildId(id) => own_id == Some(id),
            Identity::Headers(bytes) => {
                own_id.is_none() && object::pod::bytes_of_slice(headers) == &**bytes
            }
        })
    }

    fn data(&self) -> &[u8] {
        &self.map
    }

    fn header(&self) -> Option<&Header> {
        Header::parse(self.data()).ok()
    }

    pub(super) fn sections(&self) -> Option<SectionTable<'_, Header>> {
        self.header()?.sections(LittleEndian, self.data()).ok()
    }

    /// Returns the file's bytes, in which the sections lie.
    pub(super) fn bytes(&self) -> &[u8] {
        self.data()
    }

    /// Returns the debug information of the file, without sections that are compressed.
    pub(super) fn dwarf(&self) -> gimli::Dwarf<Bytes<'_>> {
        let sections = self.sections();
        let load = |id: gimli::SectionId| -> Result<_, std::convert::Infallible> {
            let section = sections.as_ref().and_then(|sections| {
                let (_, section) = sections.section_by_name(LittleEndian, id.name().as_bytes())?;
                let flags = section.sh_flags(LittleEndian);
                let plain = !flags.contains(elf::SHF_COMPRESSED);
                let data = section.data(LittleEndian, self.data()).ok();
                data.filter(|_| plain)
            });
            Ok(EndianSlice::new(
                section.unwrap_or_default(),
                gimli::LittleEndian,
            ))
        };
        let Ok(dwarf) = gimli::Dwarf::load(load);
        dwarf
    }

    /// Whether the file has debug information, and is not stripped.
    pub(super) fn has_debug_info(&self) -> bool {
        let section = self.sections().and_then(|sections| {
            sections.section_by_name(LittleEndian, gimli::SectionId::DebugInfo.name().as_bytes())
        });
        section.is_some()
    }

    /// Returns the pages that were read to the system. They can still be read again.
    pub(super) fn drop_pages(&self) {
        // SAFETY: the mapping is private, is of a file and is never written: the next read finds the same bytes in the file. An
        // error leaves the pages.
        let _ = unsafe {
            self.map
                .unchecked_advise_range(UncheckedAdvice::DontNeed, 0, self.map.len())
        };
    }
}

fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: nobody changes the file of a loaded module in place, for its code would change with it: linkers and installers
    // replace the file, and the kernel refuses to write to a running program. What is read is checked by `object` and `gimli`,
    // and the mapping lasts for one look-up.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::super::modules::module_at;
    use super::*;
    use std::ffi::CString;
    use std::path::PathBuf;
    use std::{env, fs, process};

    fn own() -> Identity {
        let module = module_at(own as *const () as usize).unwrap().module;
        module.identity().clone()
    }

    fn open(path: &Path, identity: Identity) -> Result<ElfFile, Unreadable> {
        ElfFile::open(&Module::new(false, vec![path.to_owned()], identity))
    }

    fn scratch(name: &str) -> PathBuf {
        env::temp_dir().join(format!("handleguard-{}-{name}", process::id()))
    }

    #[test]
    fn the_file_of_the_program_is_found_at_the_first_path_that_has_it() {
        let exe = env::current_exe().unwrap();
        let paths = vec!["/no/such/file".into(), "/bin/sh".into(), exe.clone()];
        let file = ElfFile::open(&Module::new(false, paths, own()))
            .ok()
            .unwrap();
        assert_eq!(file.bytes().len() as u64, fs::metadata(exe).unwrap().len());
        let sections = file.sections().unwrap();
        assert!(sections.section_by_name(LittleEndian, b".symtab").is_some());
        let before = file.dwarf().debug_info.units().next().unwrap();
        file.drop_pages();
        assert!(before.is_some());
        assert_eq!(file.dwarf().debug_info.units().next().unwrap(), before);
    }

    #[test]
    fn another_file_at_the_path_is_not_read() {
        assert_eq!(
            open(Path::new("/bin/sh"), own()).err(),
            Some(Unreadable::Always)
        );
        let headers = Identity::Headers([0; 56].into());
        let exe = env::current_exe().unwrap();
        assert_eq!(open(&exe, headers).err(), Some(Unreadable::Always));
    }

    #[test]
    fn what_is_no_file_of_a_module_is_never_read() {
        let pipe = scratch("pipe");
        let name = CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: a string that ends with 0.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let text = scratch("text");
        fs::write(&text, "\x7fELF no more").unwrap();
        let empty = scratch("empty");
        fs::write(&empty, "").unwrap();
        let folder = env::temp_dir();
        for path in [&pipe, &text, &empty, &folder, &pipe.join("below")] {
            assert_eq!(
                open(path, own()).err(),
                Some(Unreadable::Always),
                "{path:?}"
            );
        }
        for path in [pipe, text, empty] {
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_damaged_file_names_nothing_and_does_no_harm() {
        let exe = fs::read(env::current_exe().unwrap()).unwrap();
        let damaged = scratch("damaged");
        // The headers and notes stay, so that it is taken for the loaded file.
        let mut bytes = exe[..exe.len() / 2].to_vec();
        fs::write(&damaged, &bytes).unwrap();
        let file = open(&damaged, own()).ok().unwrap();
        assert!(file.sections().is_none(), "they were cut off");
        assert_eq!(file.dwarf().debug_info.units().next(), Ok(None));
        bytes = exe;
        let start = bytes.len() / 2;
        for at in (start..bytes.len()).step_by(251) {
            bytes[at] ^= 0x55;
        }
        fs::write(&damaged, &bytes).unwrap();
        let module = module_at(own as *const () as usize).unwrap();
        let step = module.range.len() / 200;
        let mut probes: Vec<u64> = (0..200).map(|at| at * step as u64).collect();
        probes.sort_unstable();
        if let Ok(file) = open(&damaged, own()) {
            let found = super::super::debug_info::functions_at(&file, &probes);
            assert_eq!(found.len(), probes.len());
        }
        fs::remove_file(damaged).unwrap();
    }
}
