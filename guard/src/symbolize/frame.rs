use crate::engine::wording::FrameClassifier;
use crate::symbolize::shared_object;
use std::fmt;
use std::path::{Path, PathBuf};

/// One named frame of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The function's name, demangled; its address where it has none.
    pub function: String,
    /// Whose frame it is.
    pub kind: FrameKind,
    /// The shared object that its code is in, by file name; `None` where that is the program itself.
    pub module: Option<String>,
    file: Option<PathBuf>,
    line: Option<u32>,
    column: Option<u32>,
}

/// Whose frame it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// The user's own, or a library's.
    Native,
    /// A function of the script that the engine runs.
    Script,
    /// The engine's, and of what binds it: folded to one line where stacks are shown.
    Engine,
}

impl Frame {
    /// Names the frames of one address: more than one where functions were inlined, innermost first.
    pub(crate) fn resolve(ip: usize, classifier: &FrameClassifier, each: &mut Vec<Self>) {
        let before = each.len();
        backtrace::resolve(ip as *mut _, |symbol| {
            let function = symbol
                .name()
                .map_or_else(|| format!("{ip:#x}"), |name| format!("{name:#}"));
            let mut frame = Self {
                function,
                kind: FrameKind::Native,
                module: None,
                file: symbol.filename().map(Path::to_owned),
                line: symbol.lineno(),
                column: None,
            };
            if frame.is_engine(classifier) {
                frame.kind = FrameKind::Engine;
            }
            each.push(frame);
        });
        // `backtrace` lists the shared objects once, and knows none that is loaded later, as add-ons are.
        if each.len() == before {
            shared_object::functions_at(ip, |function, file, line| {
                each.push(Self {
                    function,
                    file,
                    line,
                    ..Self::unnamed(ip)
                });
            });
        }
        if each.len() == before {
            each.push(Self::unnamed(ip));
        }
        let module = shared_object::name_of(ip);
        for frame in &mut each[before..] {
            frame.module.clone_from(&module);
        }
    }

    fn unnamed(ip: usize) -> Self {
        Self {
            function: format!("{ip:#x}"),
            kind: FrameKind::Native,
            module: None,
            file: None,
            line: None,
            column: None,
        }
    }

    /// A frame that the engine named.
    pub(crate) fn script(frame: &crate::ScriptFrame) -> Self {
        Self {
            function: frame.function.clone(),
            kind: FrameKind::Script,
            module: None,
            file: Some(PathBuf::from(&frame.script)),
            line: Some(frame.line),
            column: Some(frame.column),
        }
    }

    /// File, line and column as the source has them; 0 where a number is unknown.
    pub(crate) fn line(&self) -> Option<(String, u32, u32)> {
        let file = relative(self.file.as_ref()?).display().to_string();
        Some((file, self.line.unwrap_or(0), self.column.unwrap_or(0)))
    }

    /// Whether there is a symbol at its address.
    pub(crate) fn has_name(&self) -> bool {
        !self.function.starts_with("0x")
    }

    /// `file:line`, with the column where it is known; the file relative to the working directory where it lies below it.
    pub fn source(&self) -> Option<String> {
        let mut source = relative(self.file.as_ref()?).display().to_string();
        for number in [self.line, self.column].into_iter().flatten() {
            source.push(':');
            source.push_str(&number.to_string());
        }
        Some(source)
    }

    /// The function, and the shared object that it is in: `on_timer [libtimers.so]`.
    pub(crate) fn shown(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| match &self.module {
            Some(module) => write!(f, "{} [{module}]", self.function),
            None => f.write_str(&self.function),
        })
    }

    /// Whether one function of the script ran in this native frame: compiled JavaScript has no symbol.
    pub(crate) fn runs_script(&self, classifier: &FrameClassifier) -> bool {
        self.kind != FrameKind::Script
            && (self.function.starts_with("0x")
                || classifier
                    .script_symbols
                    .iter()
                    .any(|symbol| self.function.starts_with(symbol)))
    }

    /// Of the checker, or of what is its own in the engine's layer. By the file too, for an inlined function has no path in
    /// its name where the debug information is line tables only.
    pub(crate) fn is_checker(&self, classifier: &FrameClassifier) -> bool {
        let path = self.function.trim_start_matches('<');
        // The tests of this crate stand in for its users.
        if path.contains("::tests::") {
            return false;
        }
        ["handleguard::", "handleguard_v8::", "backtrace::"]
            .iter()
            .any(|own| path.starts_with(own) || path.contains(&format!(" as {own}")))
            || ["core::ptr::drop_in_place", "core::ptr::drop_glue"]
                .iter()
                .filter_map(|glue| path.strip_prefix(glue))
                // `::<` where symbols are mangled by the newer scheme.
                .any(|of| of.trim_start_matches("::").starts_with("<handleguard"))
            || self.lies_beside(file!())
            || classifier.file.is_some_and(|file| self.lies_beside(file))
            || self.lies_in(|folder| folder.starts_with("backtrace-"))
    }

    pub(crate) fn is_std(&self) -> bool {
        let path = self.function.trim_start_matches('<');
        ["std::", "core::", "alloc::"]
            .iter()
            .any(|own| path.starts_with(own))
            // What `catch_unwind` compiles to.
            || path == "__rust_try"
            || self.lies_in(|folder| folder == "library")
    }

    /// What called `main`, or a thread's function.
    pub(crate) fn is_runtime(&self) -> bool {
        self.function.contains("__rust_begin_short_backtrace")
            || self.function.starts_with("std::rt::lang_start")
            || self.function.starts_with("__libc_start_")
    }

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

    /// In the folder of `file`, or in one of its own folders. `file` is as the compiler has it: relative to where it was
    /// started, or absolute.
    fn lies_beside(&self, file: &str) -> bool {
        match (&self.file, Path::new(file).parent()) {
            (Some(own), Some(folder)) => own.ancestors().skip(1).any(|own| own.ends_with(folder)),
            _ => false,
        }
    }

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

/// Below the working directory, paths are shown as a user at the prompt would type them.
fn relative(file: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|dir| file.strip_prefix(dir).ok().map(Path::to_owned))
        .unwrap_or_else(|| file.to_owned())
}

/// Gives back the memory that naming frames took, tens of MiB of a large binary's symbols. The next naming reads them again.
pub(crate) fn forget_symbols() {
    backtrace::clear_symbol_cache();
}
