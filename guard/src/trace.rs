//! Native stacks: captured as bare addresses where a violation is found, named where it is told.

use std::fmt;
use std::path::{Path, PathBuf};

/// Frames kept of one stack. What lies deeper is cut, and the report says so.
pub const MAX_FRAMES: usize = 128;

/// Return addresses, innermost first, not yet named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Captured {
    ips: [usize; MAX_FRAMES],
    len: usize,
    cut: bool,
}

impl Captured {
    /// The caller's stack. Takes no lock and does not allocate.
    #[expect(unsafe_code, reason = "the one entry into the unwinder")]
    #[inline(never)]
    pub(crate) fn here() -> Self {
        let mut captured = Self {
            ips: [0; MAX_FRAMES],
            len: 0,
            cut: false,
        };
        // SAFETY: `trace_unsynchronized` asks that no other thread be in `backtrace` at the same time, which its
        // documentation and source (`backtrace/mod.rs`, `trace`) need for dbghelp on Windows only: elsewhere it is a
        // bare call of `_Unwind_Backtrace`, which is thread-safe. On Windows the lock is taken.
        #[cfg(not(windows))]
        unsafe {
            backtrace::trace_unsynchronized(|frame| captured.push(frame));
        }
        #[cfg(windows)]
        backtrace::trace(|frame| captured.push(frame));
        captured
    }

    fn push(&mut self, frame: &backtrace::Frame) -> bool {
        if self.len == MAX_FRAMES {
            self.cut = true;
            return false;
        }
        self.ips[self.len] = frame.ip().addr();
        self.len += 1;
        true
    }

    pub(crate) fn ips(&self) -> &[usize] {
        &self.ips[..self.len]
    }

    pub(crate) fn keep(&self) -> Trace {
        Trace {
            ips: self.ips().into(),
            cut: self.cut,
        }
    }
}

/// A native stack of bare addresses, innermost first. [`frames`](Self::frames) names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    ips: Box<[usize]>,
    cut: bool,
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
        prune(frames)
    }

    /// Whether the stack was deeper than [`MAX_FRAMES`].
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// Leaves out the checker's own frames, what the standard library put between them and the user's, and the runtime below
/// `main`. Keeps everything if nothing would be left.
fn prune(frames: Vec<Frame>) -> Vec<Frame> {
    let leading = frames
        .iter()
        .take_while(|frame| is_checker(&frame.function) || is_std(&frame.function))
        .count();
    let start = frames[..leading]
        .iter()
        .rposition(|frame| is_checker(&frame.function))
        .map_or(0, |last| last + 1);
    let end = frames[start..]
        .iter()
        .position(|frame| is_runtime(&frame.function))
        .map_or(frames.len(), |at| start + at);
    let mut kept: Vec<Frame> = frames[start..end]
        .iter()
        .filter(|frame| !is_checker(&frame.function))
        .cloned()
        .collect();
    while kept.len() > 1 && kept.last().is_some_and(|frame| is_std(&frame.function)) {
        kept.pop();
    }
    if kept.is_empty() { frames } else { kept }
}

fn is_checker(function: &str) -> bool {
    let path = function.trim_start_matches('<');
    ["handleguard::", "handleguard_v8::", "backtrace::"]
        .iter()
        .any(|own| path.starts_with(own) || path.contains(&format!(" as {own}")))
        // The tests of this crate stand in for its users.
        && !path.contains("::tests::")
        || path.starts_with("core::ptr::drop_in_place<handleguard")
        || path.starts_with("core::ptr::drop_glue<handleguard")
}

fn is_std(function: &str) -> bool {
    let path = function.trim_start_matches('<');
    ["std::", "core::", "alloc::"]
        .iter()
        .any(|own| path.starts_with(own))
}

fn is_runtime(function: &str) -> bool {
    function.contains("::__rust_begin_short_backtrace")
        || function.starts_with("std::rt::lang_start")
        || function == "__libc_start_main"
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
        let kept: Vec<String> = prune(names.iter().map(|name| frame(name)).collect())
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
    fn a_stack_of_own_frames_only_is_kept_whole() {
        let own = vec![frame("handleguard::callback"), frame("backtrace::trace")];
        assert_eq!(prune(own.clone()), own);
    }

    #[test]
    fn a_capture_holds_the_caller() {
        let frames = Captured::here().keep().frames();
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
        let trace = deep(200).keep();
        assert!(trace.is_cut());
        assert!(trace.to_string().ends_with("(cut after 128 frames)\n"));
        assert!(!deep(1).keep().is_cut());
    }
}
