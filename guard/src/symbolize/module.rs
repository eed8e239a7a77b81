//! A file whose code the process has loaded: the program, or a shared object.
#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code, reason = "no module is known on other targets")
)]

use crate::foreign_text::foreign_text;
use crate::sync::real::{AtomicBool, AtomicU64, Ordering};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A module with what is needed to name its code later, also after it was unloaded.
#[derive(Debug)]
pub(crate) struct Module {
    id: u64,
    name: String,
    is_program: bool,
    paths: Vec<PathBuf>,
    identity: Identity,
    unreadable: AtomicBool,
}

/// Distinguishes the file of a module from one that has since taken its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Identity {
    /// The build id that the linker wrote.
    BuildId(Box<[u8]>),
    /// The program headers of a file without a build id.
    Headers(Box<[u8]>),
}

/// A module at the addresses where it is loaded now.
#[derive(Clone, Debug)]
pub(crate) struct LoadedModule {
    pub(crate) module: Arc<Module>,
    /// How far from the addresses in its file it is loaded.
    pub(crate) bias: usize,
    pub(crate) range: Range<usize>,
}

impl Module {
    /// Makes a module that is read from the first of `paths` where its file is found.
    pub(crate) fn new(is_program: bool, paths: Vec<PathBuf>, identity: Identity) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // The path of a program in `/proc` does not have its name.
        let name = paths.last().and_then(|path| path.file_name());
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.map_or_else(
                || "program".to_owned(),
                |name| foreign_text(&name.to_string_lossy()),
            ),
            is_program,
            paths,
            identity,
            unreadable: AtomicBool::new(false),
        }
    }

    /// Returns a number that no other module of the process has or had.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Returns the name of its file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of its file; `None` if it is the program.
    pub(crate) fn shared_object(&self) -> Option<&str> {
        (!self.is_program).then_some(&self.name)
    }

    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it is the module with these properties.
    pub(crate) fn is(&self, is_program: bool, path: Option<&Path>, identity: &Identity) -> bool {
        self.is_program == is_program
            && self.paths.last().map(PathBuf::as_path) == path
            && self.identity == *identity
    }

    /// Whether its file was found missing, unreadable or replaced, so that nobody need look again.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.unreadable.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unreadable(&self) {
        self.unreadable.store(true, Ordering::Relaxed);
    }
}

impl Identity {
    /// Shows the build id as linkers and debuggers do; `None` if there is none.
    pub(crate) fn build_id(&self) -> Option<impl fmt::Display + '_> {
        let Self::BuildId(id) = self else { return None };
        Some(fmt::from_fn(|f| {
            id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_has_the_harmless_name_of_its_file() {
        let identity = Identity::BuildId([0x0a, 0xbc].into());
        let paths = vec![PathBuf::from("/proc/self/exe"), "/a/b\u{1b}\n.so".into()];
        let module = Module::new(false, paths, identity);
        assert_eq!(module.name(), r"b\u{1b}\n.so");
        assert_eq!(module.shared_object(), Some(module.name()));
        let shown = module.identity().build_id().map(|id| id.to_string());
        assert_eq!(shown.as_deref(), Some("0abc"));
        let headers = || Identity::Headers([1].into());
        let program = Module::new(true, Vec::new(), headers());
        assert_eq!(program.name(), "program");
        assert_eq!(program.shared_object(), None);
        assert!(program.identity().build_id().is_none());
        assert_ne!(program.id(), module.id());
    }
}
