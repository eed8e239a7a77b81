//! One frame of a stack with its names, and the questions that decide how it is shown.

use crate::engine::script_frame::ScriptFrame;
use crate::engine::wording::FrameClassifier;
use crate::symbolize::address::Address;
use crate::symbolize::located_stack::LocatedStack;
use crate::symbolize::platform;
use crate::symbolize::symbol::Symbol;
use crate::sync::real::OnceBox;
use std::fmt;
use std::path::{Path, PathBuf};

/// One named frame of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The function's name, demangled. Without a name, it is the module and the address in its file, `libtimers.so+0x1a2b`, or
    /// the bare address, `0x7f00`, if no module holds the code.
    pub function: String,
    /// Whose code it is.
    pub kind: FrameKind,
    /// The file name of the shared object that holds its code; `None` if that is the program itself.
    pub module: Option<String>,
    file: Option<PathBuf>,
    line: Option<u32>,
    column: Option<u32>,
    named_by: NamedBy,
    /// The build id of the module, if only that names the function.
    build_id: Option<String>,
}

/// What names the function of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NamedBy {
    /// A symbol, or the engine.
    Symbol,
    /// Its module, whose symbols do not name it.
    Module,
    /// Its address, which no module holds.
    Address,
}

/// Whose code a frame runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// Code of the user or of a library.
    Native,
    /// A function of the script that the engine runs.
    Script,
    /// Code of the engine, or of the crate that binds it. Reports fold a run of such frames into one line.
    Engine,
}

impl Frame {
    /// Appends the frames of the address `ip` to `each`, innermost first: more than one if functions were inlined there.
    pub(crate) fn resolve(ip: usize, classifier: &FrameClassifier, each: &mut Vec<Self>) {
        let loaded = platform::module_at(ip.wrapping_sub(1));
        Self::resolve_all(&[Address::new(ip, loaded.as_ref())], classifier, each);
    }

    /// Looks up the names at all of these addresses at once, which takes about as long as those at one. [`resolve`](Self::resolve)
    /// of each does not read its file again then.
    pub(crate) fn look_up(ips: &[usize]) {
        let stack = LocatedStack::new(ips);
        platform::symbols_at(&stack.addresses().collect::<Vec<_>>());
    }

    /// Appends the frames of the addresses to `each`.
    pub(crate) fn resolve_all(
        addresses: &[Address<'_>],
        classifier: &FrameClassifier,
        each: &mut Vec<Self>,
    ) {
        for (address, symbols) in addresses.iter().zip(platform::symbols_at(addresses)) {
            if symbols.is_empty() {
                each.push(Self::unnamed(address));
            }
            each.extend((symbols.iter()).map(|symbol| Self::native(address, symbol, classifier)));
        }
    }

    fn native(address: &Address<'_>, symbol: &Symbol, classifier: &FrameClassifier) -> Self {
        let mut frame = Self {
            file: symbol.file.clone(),
            line: symbol.line,
            ..Self::unnamed(address)
        };
        if let Some(name) = &symbol.name {
            frame.function.clone_from(name);
            frame.named_by = NamedBy::Symbol;
            frame.build_id = None;
        }
        if frame.is_engine(classifier) {
            frame.kind = FrameKind::Engine;
        }
        frame
    }

    fn unnamed(address: &Address<'_>) -> Self {
        let named_by = match address.module {
            Some(_) => NamedBy::Module,
            None => NamedBy::Address,
        };
        let module = address.module.map(|(module, _)| module);
        let build_id = module.and_then(|module| module.identity().build_id());
        Self {
            function: address.to_string(),
            kind: FrameKind::Native,
            module: module.and_then(|module| Some(module.shared_object()?.to_owned())),
            file: None,
            line: None,
            column: None,
            named_by,
            build_id: build_id.map(|id| id.to_string()),
        }
    }

    /// Makes a frame of one that the engine named.
    pub(crate) fn script(frame: &ScriptFrame) -> Self {
        Self {
            function: frame.function.to_string(),
            kind: FrameKind::Script,
            module: None,
            file: Some(PathBuf::from(&*frame.script)),
            line: Some(frame.line),
            column: Some(frame.column),
            named_by: NamedBy::Symbol,
            build_id: None,
        }
    }

    /// Whether it is native code of the user or of a library, and its function has a name.
    pub(crate) fn is_named_native(&self) -> bool {
        self.kind == FrameKind::Native && self.has_name() && !self.is_std()
    }

    /// Whether its call is at that line. `file` is as the compiler got it, so it may be the end of the path only.
    pub(crate) fn is_at(&self, file: &str, line: u32) -> bool {
        let own = self.file.as_ref();
        self.line == Some(line) && own.is_some_and(|own| own.ends_with(file))
    }

    /// Returns the file as reports show it, and the line, or 0 if the line is unknown.
    pub(crate) fn line(&self) -> Option<(String, u32)> {
        let file = relative(self.file.as_ref()?).display().to_string();
        Some((file, self.line.unwrap_or(0)))
    }

    /// Whether the function has a name, and not only an address.
    pub(crate) fn has_name(&self) -> bool {
        self.named_by == NamedBy::Symbol
    }

    /// Whether no module holds its code, as of compiled script.
    pub(crate) fn is_compiled_script(&self) -> bool {
        self.named_by == NamedBy::Address
    }

    /// Returns the build id of the module, if only that names the function.
    pub(crate) fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// Shows no build id.
    pub(crate) fn forget_build_id(&mut self) {
        self.build_id = None;
    }

    /// Returns `file:line`, or `file:line:column` if the column is known. A file below the working directory is shown relative
    /// to it.
    pub fn source(&self) -> Option<String> {
        let mut source = relative(self.file.as_ref()?).display().to_string();
        for number in [self.line, self.column].into_iter().flatten() {
            source.push(':');
            source.push_str(&number.to_string());
        }
        Some(source)
    }

    /// Shows the function, and the shared object that it is in: `on_timer [libtimers.so]`. Without a name, it shows the build id
    /// of the module: `libtimers.so+0x1a2b [build id 0123456789abcdef]`.
    pub(crate) fn shown(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            f.write_str(&self.function)?;
            match (self.named_by, &self.module, &self.build_id) {
                (NamedBy::Symbol, Some(module), _) => write!(f, " [{module}]"),
                (NamedBy::Module, _, Some(id)) => write!(f, " [build id {id}]"),
                _ => Ok(()),
            }
        })
    }

    /// Whether this native frame runs a function of the script: it is one of the engine's that do, or compiled script.
    pub(crate) fn runs_script(&self, classifier: &FrameClassifier) -> bool {
        self.kind != FrameKind::Script
            && (self.is_compiled_script()
                || classifier
                    .script_symbols
                    .iter()
                    .any(|symbol| self.function.starts_with(symbol)))
    }

    /// Whether it is a frame of the checker, or of the crate that connects the checker to the engine. The file is looked at
    /// too, for an inlined function has no path in its name if the debug information is line tables only.
    pub(crate) fn is_checker(&self, classifier: &FrameClassifier) -> bool {
        let path = self.function.trim_start_matches('<');
        // The tests of this crate stand in for its users.
        if path.contains("::tests::") {
            return false;
        }
        // Of a method of a trait, the path is `<Type as own::Trait>::method`.
        let is_own_path = |own: &str| path.starts_with(own) || path.contains(&format!(" as {own}"));
        let is_own_glue = |own: &str| {
            ["core::ptr::drop_in_place", "core::ptr::drop_glue"]
                .iter()
                .filter_map(|glue| path.strip_prefix(glue))
                // `::<` where symbols are mangled by the newer scheme.
                .filter_map(|dropped| dropped.trim_start_matches("::").strip_prefix('<'))
                .any(|dropped| dropped.starts_with(own))
        };
        ["handleguard::", "backtrace::"]
            .iter()
            .chain(classifier.own_paths)
            .any(|own| is_own_path(own) || is_own_glue(own))
            || self.lies_below(sources())
            || Path::new(classifier.file.unwrap_or_default())
                .parent()
                .is_some_and(|folder| self.lies_below(folder))
            || self.lies_in(|folder| folder.starts_with("backtrace-"))
    }

    /// Whether it is a function with a name that is neither the engine's nor the checker's nor the standard library's.
    pub(crate) fn is_users(&self, classifier: &FrameClassifier) -> bool {
        self.is_named_native() && !self.is_checker(classifier)
    }

    /// Whether its file is one of a package that cargo has downloaded.
    pub(crate) fn is_dependency(&self) -> bool {
        self.file.as_deref().is_some_and(is_of_dependency)
    }

    /// Whether it is a frame of the standard library.
    pub(crate) fn is_std(&self) -> bool {
        let path = self.function.trim_start_matches('<');
        ["std::", "core::", "alloc::"]
            .iter()
            .any(|own| path.starts_with(own))
            // What `catch_unwind` compiles to.
            || path == "__rust_try"
            || self.lies_in(|folder| folder == "library")
    }

    /// Whether it is a frame of what calls `main`, or a thread's function.
    pub(crate) fn is_runtime(&self) -> bool {
        self.function.contains("__rust_begin_short_backtrace")
            || self.function.starts_with("std::rt::lang_start")
            || self.function.starts_with("__libc_start_")
    }

    /// Whether it is a frame of the engine or of the crate that binds it. The names of Rust functions do not count: the user's
    /// crate may have the engine's name.
    fn is_engine(&self, classifier: &FrameClassifier) -> bool {
        let rust = self
            .file
            .as_ref()
            .is_some_and(|file| file.extension().is_some_and(|it| it == "rs"));
        let by_name = !rust
            && classifier
                .engine_symbols
                .iter()
                .any(|symbol| self.function.starts_with(symbol));
        by_name
            || classifier
                .engine_crate
                .is_some_and(|name| self.lies_in(|folder| folder.starts_with(name)))
    }

    /// Whether its file is in `folder`, or below. `folder` is absolute, or relative to the folder that the compiler ran in.
    fn lies_below(&self, folder: &Path) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|file| file.ancestors().skip(1).any(|own| own.ends_with(folder)))
    }

    /// Whether one part of its file's path satisfies `folder`.
    fn lies_in(&self, mut folder: impl FnMut(&str) -> bool) -> bool {
        self.file.as_ref().is_some_and(|file| {
            file.components()
                .any(|part| part.as_os_str().to_str().is_some_and(&mut folder))
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test(function: &str, kind: FrameKind, file: Option<&str>) -> Self {
        Self {
            function: function.to_owned(),
            kind,
            module: None,
            file: file.map(PathBuf::from),
            line: file.map(|_| 1),
            column: None,
            named_by: if function.starts_with("0x") {
                NamedBy::Address
            } else {
                NamedBy::Symbol
            },
            build_id: None,
        }
    }
}

/// Whether `file` is one of a package that cargo has downloaded, from a registry or a repository.
pub(crate) fn is_of_dependency(file: &Path) -> bool {
    let mut parts = file.components().map(|part| part.as_os_str());
    parts.any(|part| part == "registry" || part == "git")
        && parts
            .next()
            .is_some_and(|part| part == "src" || part == "checkouts")
}

/// Returns the folder with the sources of this crate: two levels above this file.
fn sources() -> &'static Path {
    let folder = Path::new(file!()).parent().and_then(Path::parent);
    folder.expect("this file is in a folder of a module")
}

/// Makes a path below the working directory relative to it, as a user at the prompt would type it.
///
/// The system is asked once, and it may not know: the directory may be removed, or lie outside of a chroot.
fn relative(file: &Path) -> PathBuf {
    static FOLDER: OnceBox<Option<PathBuf>> = OnceBox::new();
    let folder = FOLDER.get_or_init(|| Box::new(std::env::current_dir().ok()));
    let below = folder
        .as_ref()
        .and_then(|folder| file.strip_prefix(folder).ok());
    below.unwrap_or(file).to_owned()
}
