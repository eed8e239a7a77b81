//! One frame of a stack with its names, and the questions that decide how it is shown.

use crate::engine::script_frame::ScriptFrame;
use crate::engine::wording::FrameClassifier;
use crate::symbolize::platform;
use crate::symbolize::symbol::Symbol;
use std::fmt;
use std::path::{Path, PathBuf};

/// One named frame of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The function's name, demangled; its address if it has no name.
    pub function: String,
    /// Whose code it is.
    pub kind: FrameKind,
    /// The file name of the shared object that holds its code; `None` if that is the program itself.
    pub module: Option<String>,
    file: Option<PathBuf>,
    line: Option<u32>,
    column: Option<u32>,
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
        let before = each.len();
        let module = platform::shared_object_of(ip);
        platform::symbols_at(ip, |symbol| {
            each.push(Self::native(ip, symbol, module.clone(), classifier));
        });
        if each.len() == before {
            let unnamed = Symbol {
                name: None,
                file: None,
                line: None,
            };
            each.push(Self::native(ip, unnamed, module, classifier));
        }
    }

    fn native(
        ip: usize,
        symbol: Symbol,
        module: Option<String>,
        classifier: &FrameClassifier,
    ) -> Self {
        let mut frame = Self {
            function: symbol.name.unwrap_or_else(|| format!("{ip:#x}")),
            kind: FrameKind::Native,
            module,
            file: symbol.file,
            line: symbol.line,
            column: None,
        };
        if frame.is_engine(classifier) {
            frame.kind = FrameKind::Engine;
        }
        frame
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
        }
    }

    /// Returns the file as reports show it, and the line, or 0 if the line is unknown.
    pub(crate) fn line(&self) -> Option<(String, u32)> {
        let file = relative(self.file.as_ref()?).display().to_string();
        Some((file, self.line.unwrap_or(0)))
    }

    /// Whether the function has a name, and not only an address.
    pub(crate) fn has_name(&self) -> bool {
        !self.function.starts_with("0x")
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

    /// Shows the function, and the shared object that it is in: `on_timer [libtimers.so]`.
    pub(crate) fn shown(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| match &self.module {
            Some(module) => write!(f, "{} [{module}]", self.function),
            None => f.write_str(&self.function),
        })
    }

    /// Whether this native frame runs a function of the script: it is one of the engine's that do, or it has no name, as
    /// compiled script has none.
    pub(crate) fn runs_script(&self, classifier: &FrameClassifier) -> bool {
        self.kind != FrameKind::Script
            && (!self.has_name()
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
        }
    }
}

/// Returns the folder with the sources of this crate: two levels above this file.
fn sources() -> &'static Path {
    let folder = Path::new(file!()).parent().and_then(Path::parent);
    folder.expect("this file is in a folder of a module")
}

/// Makes a path below the working directory relative to it, as a user at the prompt would type it.
fn relative(file: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|dir| file.strip_prefix(dir).ok().map(Path::to_owned))
        .unwrap_or_else(|| file.to_owned())
}
