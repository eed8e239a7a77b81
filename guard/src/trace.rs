//! Native stacks: captured as bare addresses where a violation is found, named where it is told.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::walk;
use std::fmt;
use std::path::{Path, PathBuf};

/// Frames kept of one stack. What lies deeper is cut, and the report says so.
pub const MAX_FRAMES: usize = 128;

/// How stacks are captured here, for the start-up line.
pub(crate) const HOW: &str = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    "by unwind tables, and by frame pointers across JavaScript"
} else {
    "by unwind tables; they end where JavaScript begins"
};

/// Return addresses, innermost first, not yet named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Captured {
    ips: [usize; MAX_FRAMES],
    len: usize,
    cut: bool,
}

impl Captured {
    /// The caller's stack. Does not allocate, but for the first of a thread.
    #[inline(never)]
    pub(crate) fn here() -> Self {
        let mut captured = Self {
            ips: [0; MAX_FRAMES],
            len: 0,
            cut: false,
        };
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        if walk::walk(walk::Registers::here(), |ip| captured.push(ip)) {
            return captured;
        }
        captured.unwind();
        captured
    }

    /// By the unwinder that panics use; it stops where the engine's own code begins.
    #[expect(unsafe_code, reason = "the one entry into the unwinder")]
    fn unwind(&mut self) {
        let mut each = |frame: &backtrace::Frame| self.push(frame.ip().addr());
        // SAFETY: `trace_unsynchronized` asks that no other thread be in `backtrace` at the same time, which its
        // documentation and source (`backtrace/mod.rs`, `trace`) need for dbghelp on Windows only: elsewhere it is a
        // bare call of `_Unwind_Backtrace`, which is thread-safe. On Windows the lock is taken.
        #[cfg(not(windows))]
        unsafe {
            backtrace::trace_unsynchronized(&mut each);
        }
        #[cfg(windows)]
        backtrace::trace(&mut each);
    }

    fn push(&mut self, ip: usize) -> bool {
        if self.len == MAX_FRAMES {
            self.cut = true;
            return false;
        }
        self.ips[self.len] = ip;
        self.len += 1;
        true
    }

    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips[..self.len]
    }

    /// Keeps the stack of a violation in an engine that `layer` reads; see [`Dialect::layer`](crate::Dialect::layer).
    pub(crate) fn keep(&self, layer: Option<&'static str>) -> Trace {
        Trace {
            ips: self.ips().into(),
            cut: self.cut,
            layer,
        }
    }
}

/// A native stack of bare addresses, innermost first. [`frames`](Self::frames) names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    ips: Box<[usize]>,
    cut: bool,
    layer: Option<&'static str>,
}

/// Gives back the memory that naming frames took, tens of MiB of a large binary's symbols. The next naming reads them again.
pub(crate) fn forget_symbols() {
    backtrace::clear_symbol_cache();
}

/// One named frame of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The function's demangled name, or its address where it has none.
    pub function: String,
    source: Option<(PathBuf, Option<u32>)>,
}

impl Frame {
    /// `file:line`, the file relative to the working directory where it lies below it.
    pub fn source(&self) -> Option<String> {
        let (file, line) = self.source.as_ref()?;
        let file = relative(file);
        Some(match line {
            Some(line) => format!("{}:{line}", file.display()),
            None => file.display().to_string(),
        })
    }
}

impl Trace {
    /// The frames from the callback down to `main` or the thread's start, named now. Frames of the checker itself and
    /// of the runtime below `main` are left out.
    ///
    /// Slow (milliseconds the first time): reads the binary's symbols and keeps them.
    pub fn frames(&self) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &ip in &self.ips {
            let before = frames.len();
            backtrace::resolve(ip as *mut _, |symbol| {
                frames.push(Frame {
                    function: symbol
                        .name()
                        .map_or_else(|| format!("{ip:#x}"), |name| format!("{name:#}")),
                    source: symbol
                        .filename()
                        .map(|file| (file.to_owned(), symbol.lineno())),
                });
            });
            if frames.len() == before {
                frames.push(Frame {
                    function: format!("{ip:#x}"),
                    source: None,
                });
            }
        }
        prune(frames, self.layer)
    }

    /// The stack as one line, outermost frame first, as flame graphs want it: `main;event_loop;on_close`.
    pub fn folded(&self) -> String {
        let mut names: Vec<String> = self
            .frames()
            .into_iter()
            .map(|frame| frame.function)
            .collect();
        names.reverse();
        names.join(";")
    }

    /// Whether the stack was deeper than [`MAX_FRAMES`].
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// Leaves out the checker's own frames, what the standard library put between them and the user's, and the runtime below
/// `main`. Keeps everything if nothing would be left.
fn prune(frames: Vec<Frame>, layer: Option<&str>) -> Vec<Frame> {
    let is_checker = |frame: &Frame| frame.is_checker(layer);
    let leading = frames
        .iter()
        .take_while(|frame| is_checker(frame) || frame.is_std())
        .count();
    let start = frames[..leading]
        .iter()
        .rposition(is_checker)
        .map_or(0, |last| last + 1);
    let end = frames[start..]
        .iter()
        .position(Frame::is_runtime)
        .map_or(frames.len(), |at| start + at);
    let mut kept: Vec<Frame> = frames[start..end]
        .iter()
        .filter(|frame| !is_checker(frame))
        .cloned()
        .collect();
    while kept.len() > 1 && kept.last().is_some_and(Frame::is_std) {
        kept.pop();
    }
    if kept.is_empty() { frames } else { kept }
}

impl Frame {
    /// By the file too, for an inlined function has no path in its name where the debug information is line tables only.
    fn is_checker(&self, layer: Option<&str>) -> bool {
        let path = self.function.trim_start_matches('<');
        // The tests of this crate stand in for its users.
        if path.contains("::tests::") {
            return false;
        }
        ["handleguard::", "handleguard_v8::", "backtrace::"]
            .iter()
            .any(|own| path.starts_with(own) || path.contains(&format!(" as {own}")))
            || path.starts_with("core::ptr::drop_in_place<handleguard")
            || path.starts_with("core::ptr::drop_glue<handleguard")
            || self.lies_beside(file!())
            || layer.is_some_and(|layer| self.lies_beside(layer))
            || self.lies_in(|folder| folder.starts_with("backtrace-"))
    }

    fn is_std(&self) -> bool {
        let path = self.function.trim_start_matches('<');
        ["std::", "core::", "alloc::"]
            .iter()
            .any(|own| path.starts_with(own))
            || self.lies_in(|folder| folder == "library")
    }

    fn is_runtime(&self) -> bool {
        self.function.contains("__rust_begin_short_backtrace")
            || self.function.starts_with("std::rt::lang_start")
            || self.function == "__libc_start_main"
    }

    /// In the folder of `file`, which is as the compiler has it: relative to where it was started, or absolute.
    fn lies_beside(&self, file: &str) -> bool {
        match (&self.source, Path::new(file).parent()) {
            (Some((path, _)), Some(folder)) => {
                path.parent().is_some_and(|parent| parent.ends_with(folder))
            }
            _ => false,
        }
    }

    fn lies_in(&self, mut folder: impl FnMut(&str) -> bool) -> bool {
        self.source.as_ref().is_some_and(|(path, _)| {
            path.components()
                .any(|part| part.as_os_str().to_str().is_some_and(&mut folder))
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, frame) in self.frames().iter().enumerate() {
            writeln!(f, "     {number:>4}: {}", frame.function)?;
            if let Some(source) = frame.source() {
                writeln!(f, "             at {source}")?;
            }
        }
        if self.cut {
            writeln!(f, "           (cut after {MAX_FRAMES} frames)")?;
        }
        Ok(())
    }
}

/// Below the working directory, paths are shown as a user at the prompt would type them.
fn relative(file: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|dir| file.strip_prefix(dir).ok().map(Path::to_owned))
        .unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str) -> Frame {
        Frame {
            function: function.to_owned(),
            source: None,
        }
    }

    #[test]
    fn own_frames_and_the_runtime_are_left_out() {
        let names = [
            "backtrace::trace_unsynchronized",
            "<handleguard::guard::TurnGuard<E> as core::ops::drop::Drop>::drop",
            "std::thread::local::LocalKey<T>::try_with",
            "core::ptr::drop_in_place<handleguard::guard::TurnGuard<V8>>",
            "<v8::data::Function as handleguard_v8::call::GuardedFunction>::guarded_call",
            "std::thread::local::LocalKey<T>::with",
            "app::on_close",
            "handleguard::testing::run",
            "app::main",
            "core::ops::function::FnOnce::call_once",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "main",
        ];
        let kept: Vec<String> = prune(names.iter().map(|name| frame(name)).collect(), None)
            .into_iter()
            .map(|frame| frame.function)
            .collect();
        assert_eq!(
            kept,
            [
                "std::thread::local::LocalKey<T>::with",
                "app::on_close",
                "app::main"
            ]
        );
    }

    #[test]
    fn inlined_frames_without_a_path_are_known_by_their_file() {
        let inlined = |function: &str, file: &str| Frame {
            function: function.to_owned(),
            source: Some((PathBuf::from(file), Some(1))),
        };
        let frames = vec![
            inlined("trace", "/registry/backtrace-0.3.77/src/backtrace/mod.rs"),
            inlined("here", concat!("/build/", file!())),
            inlined("try_with", "/rustc/0/library/std/src/thread/local.rs"),
            inlined("enter", "/build/layer/src/call.rs"),
            inlined("on_close", "/build/app/src/main.rs"),
            inlined(
                "__rust_begin_short_backtrace<fn()>",
                "/rustc/0/library/std/src/x.rs",
            ),
        ];
        let kept = prune(frames, Some("layer/src/engine.rs"));
        assert_eq!(kept.len(), 1, "{kept:#?}");
        assert_eq!(kept[0].function, "on_close");
    }

    #[test]
    fn a_stack_of_own_frames_only_is_kept_whole() {
        let own = vec![frame("handleguard::callback"), frame("backtrace::trace")];
        assert_eq!(prune(own.clone(), None), own);
    }

    #[test]
    fn a_capture_holds_the_caller() {
        let frames = Captured::here().keep(None).frames();
        assert!(
            frames[0].function.contains("a_capture_holds_the_caller"),
            "{frames:#?}"
        );
    }

    #[test]
    fn a_stack_deeper_than_the_limit_is_marked_as_cut() {
        #[inline(never)]
        fn deep(left: u32) -> Captured {
            if left == 0 {
                return Captured::here();
            }
            std::hint::black_box(deep(left - 1))
        }
        let trace = deep(200).keep(None);
        assert!(trace.is_cut());
        assert!(trace.to_string().ends_with("(cut after 128 frames)\n"));
        assert!(!deep(1).keep(None).is_cut());
    }
}
