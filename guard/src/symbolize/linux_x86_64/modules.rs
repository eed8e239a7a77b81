//! The modules whose addresses are or were kept, each once.

use crate::fork::mutex::ForkMutex;
use crate::symbolize::module::{Identity, LoadedModule, Module};
use crate::unwind::linux_x86_64::loaded_object::LoadedObject;
use object::LittleEndian;
use object::elf;
use object::read::elf::NoteIterator;
use std::path::PathBuf;
use std::sync::Arc;

/// How many modules are shared. Each stack has copies of its others.
const MAX_SHARED: usize = 256;

static SHARED: ForkMutex<Vec<Arc<Module>>> = ForkMutex::new();

/// Returns the module that is loaded at `address`, which is code on the stack of this thread or of the program itself.
pub(crate) fn module_at(address: usize) -> Option<LoadedModule> {
    let object = LoadedObject::at(address)?;
    Some(LoadedModule {
        bias: object.bias(),
        range: object.range(),
        module: shared(&object),
    })
}

fn shared(object: &LoadedObject) -> Arc<Module> {
    let is_program = object.is_program();
    let own_path = object.path();
    let identity = identity(object);
    SHARED.with(|shared| {
        let known = (shared.iter()).find(|it| it.is(is_program, own_path.as_deref(), &identity));
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let mut paths = Vec::new();
        if is_program {
            // The file itself, even where another has its path now.
            paths.push(PathBuf::from("/proc/self/exe"));
        }
        paths.extend(own_path);
        let module = Arc::new(Module::new(is_program, paths, identity));
        if shared.len() >= MAX_SHARED {
            shared.retain(|it| Arc::strong_count(it) > 1);
        }
        if shared.len() < MAX_SHARED && shared.try_reserve(1).is_ok() {
            shared.push(Arc::clone(&module));
        }
        module
    })
}

/// Returns the build id that the loaded module has in its memory, or its program headers.
fn identity(object: &LoadedObject) -> Identity {
    for (align, notes) in object.notes() {
        let notes =
            NoteIterator::<elf::FileHeader64<LittleEndian>>::new(LittleEndian, align, notes);
        if let Some(id) = notes.ok().and_then(build_id) {
            return Identity::BuildId(id.into());
        }
    }
    Identity::Headers(object.header_bytes().into())
}

/// Returns the build id, if it is among the notes.
pub(super) fn build_id(
    mut notes: NoteIterator<'_, elf::FileHeader64<LittleEndian>>,
) -> Option<&[u8]> {
    while let Ok(Some(note)) = notes.next() {
        let is_id =
            note.name() == elf::ELF_NOTE_GNU && note.n_type(LittleEndian) == elf::NT_GNU_BUILD_ID;
        // Linkers write 8 to 32 bytes.
        if is_id && (1..=64).contains(&note.desc().len()) {
            return Some(note.desc());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_shared_by_all_its_addresses() {
        let own = module_at as *const () as usize;
        let program = module_at(own).unwrap();
        assert!(Arc::ptr_eq(
            &program.module,
            &module_at(own + 1).unwrap().module
        ));
        assert_eq!(program.module.shared_object(), None);
        assert!(program.range.contains(&own));
        let libc = module_at(libc::getpid as *const () as usize).unwrap();
        assert_eq!(libc.module.shared_object(), Some("libc.so.6"));
        assert!(!Arc::ptr_eq(&program.module, &libc.module));
        assert!(module_at(0x10).is_none());
    }

    #[test]
    fn the_program_has_the_name_of_its_file_though_it_is_read_elsewhere() {
        let program = module_at(module_at as *const () as usize).unwrap().module;
        let exe = std::env::current_exe().unwrap();
        assert_eq!(program.name(), exe.file_name().unwrap().to_str().unwrap());
        assert_eq!(program.paths()[0].to_str(), Some("/proc/self/exe"));
    }
}
