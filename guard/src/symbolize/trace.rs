//! A kept stack, named where it is told: one list from the callback out to `main`, through native, engine and script
//! frames.

use crate::engine::script_frame::ScriptFrame;
use crate::engine::wording::FrameClassifier;
use crate::symbolize::frame::{Frame, FrameKind};
use crate::unwind::capture::CapturedStack;
use crate::unwind::truncated::Truncated;
use std::fmt;

/// The stack of a violation, innermost frame first: native frames as bare addresses, script frames as the engine named them
/// at the time. [`frames`](Self::frames) names the rest.
#[derive(Clone, Debug)]
pub struct Trace {
    ips: Box<[usize]>,
    script: Box<[ScriptFrame]>,
    cut: Option<Truncated>,
    full: bool,
    classifier: &'static FrameClassifier,
}

impl Trace {
    /// Keeps a captured stack, to be symbolized later, with the frames of script that the engine named at the time.
    pub(crate) fn keep(
        stack: &CapturedStack,
        classifier: &'static FrameClassifier,
        script: Vec<ScriptFrame>,
        full: bool,
    ) -> Self {
        Self::new(stack.ips(), stack.truncated(), classifier, script, full)
    }

    pub(crate) fn new(
        ips: &[usize],
        cut: Option<Truncated>,
        classifier: &'static FrameClassifier,
        script: Vec<ScriptFrame>,
        full: bool,
    ) -> Self {
        Self {
            ips: ips.into(),
            script: script.into(),
            cut,
            full,
            classifier,
        }
    }

    /// The frames from the callback out to `main` or the thread's start, named now. Frames of the checker itself and of the
    /// runtime below `main` are left out, unless `HANDLEGUARD=full-stack` asked for them.
    ///
    /// Slow (milliseconds the first time): reads the binary's symbols and keeps them.
    pub fn frames(&self) -> Vec<Frame> {
        let mut native = Vec::new();
        for &ip in &self.ips {
            Frame::resolve(ip, self.classifier, &mut native);
        }
        if !self.full {
            native = prune(native, self.classifier);
        }
        with_script(native, &self.script, self.classifier)
    }

    /// The stack as one line, outermost frame first, as flame graphs want it: `main;event_loop;on_close`. The engine's own
    /// frames are left out.
    pub fn folded(&self) -> String {
        let mut names: Vec<String> = self
            .frames()
            .into_iter()
            .filter(|frame| frame.kind != FrameKind::Engine)
            .map(|frame| frame.function)
            .collect();
        names.reverse();
        names.join(";")
    }

    /// The native frames, innermost first, as they were captured: an instruction each.
    pub fn addresses(&self) -> &[usize] {
        &self.ips
    }

    /// Whether the stack goes on further out than it was captured: deeper than [`MAX_FRAMES`](crate::MAX_FRAMES), off the
    /// thread's own stack, or where there is neither an unwind table nor a frame pointer.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Gives each line of the stack to `line`, the engine's frames folded.
    pub(crate) fn lines(&self, mut line: impl FnMut(Line<'_>) -> fmt::Result) -> fmt::Result {
        let frames = self.frames();
        let mut rest = frames.as_slice();
        let mut number = 0;
        while let Some(first) = rest.first() {
            let engine = if self.full { 0 } else { of_engine(rest) };
            if engine > 1 {
                line(Line::Folded(engine, self.classifier.name))?;
                rest = &rest[engine..];
            } else {
                line(Line::Frame(number, first))?;
                rest = &rest[1..];
                number += 1;
            }
        }
        if let Some(cut) = self.cut {
            line(Line::Truncated(cut))?;
        }
        Ok(())
    }
}

/// How many of the first frames are the engine's, with what the standard library put between them and the user's.
fn of_engine(frames: &[Frame]) -> usize {
    let run = frames
        .iter()
        .take_while(|frame| frame.kind == FrameKind::Engine || frame.is_std())
        .count();
    let engine = frames[..run]
        .iter()
        .any(|frame| frame.kind == FrameKind::Engine);
    if engine { run } else { 0 }
}

/// One line of a stack as it is shown.
pub(crate) enum Line<'a> {
    /// A frame, and its number.
    Frame(usize, &'a Frame),
    /// So many frames of that engine.
    Folded(usize, &'a str),
    /// What is further out was not captured, and why.
    Truncated(Truncated),
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(|line| match line {
            Line::Frame(number, frame) => {
                let script = if frame.kind == FrameKind::Script {
                    " [JavaScript]"
                } else {
                    ""
                };
                writeln!(f, "     {number:>4}: {}{script}", frame.shown())?;
                match frame.source() {
                    Some(source) => writeln!(f, "             at {source}"),
                    None => Ok(()),
                }
            }
            Line::Folded(frames, engine) => writeln!(f, "           ({frames} frames of {engine})"),
            Line::Truncated(cut) => writeln!(f, "           ({cut})"),
        })
    }
}

/// Leaves out the checker's own frames, what the standard library put between them and the user's, and the runtime below
/// `main`. Keeps everything if nothing would be left.
fn prune(frames: Vec<Frame>, classifier: &FrameClassifier) -> Vec<Frame> {
    let is_checker = |frame: &Frame| frame.is_checker(classifier);
    let leading = frames
        .iter()
        .take_while(|frame| is_checker(frame) || frame.is_std())
        .count();
    // The standard library's frames go with the checker's, on both sides: `core::mem::drop` of a guard.
    let start = if frames[..leading].iter().any(is_checker) {
        leading
    } else {
        0
    };
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

/// Puts the script's frames where they ran: each native frame that ran a function of the script is replaced by it.
///
/// Compiled code may run several in one frame, inlined. Those too many are put where the innermost such frame is; the order
/// is right in any case. Where no native frame is known to have run script (the walk ended before), they come last.
fn with_script(
    native: Vec<Frame>,
    script: &[ScriptFrame],
    classifier: &FrameClassifier,
) -> Vec<Frame> {
    let ran = native
        .iter()
        .filter(|frame| frame.runs_script(classifier))
        .count();
    let mut inlined = script.len().saturating_sub(ran);
    let mut script = script.iter();
    let mut frames = Vec::with_capacity(native.len() + script.len());
    for frame in native {
        if !frame.runs_script(classifier) {
            frames.push(frame);
            continue;
        }
        let compiled = frame.function.starts_with("0x");
        let here = if compiled {
            1 + std::mem::take(&mut inlined)
        } else {
            1
        };
        let before = frames.len();
        frames.extend(script.by_ref().take(here).map(Frame::script));
        if frames.len() == before {
            frames.push(frame);
        }
    }
    frames.extend(script.map(Frame::script));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};

    const LAYER: &FrameClassifier = &FrameClassifier {
        name: "an engine",
        file: Some("layer/src/engine.rs"),
        engine_crate: Some("engine-"),
        engine_symbols: &["Builtins_", "engine::"],
        script_symbols: &["Builtins_Interpreter"],
    };

    fn frame(function: &str) -> Frame {
        Frame::for_test(function, FrameKind::Native, None)
    }

    fn script(function: &str) -> ScriptFrame {
        ScriptFrame {
            function: function.to_owned(),
            script: "app.js".to_owned(),
            line: 1,
            column: 2,
        }
    }

    fn names(frames: &[Frame]) -> Vec<&str> {
        frames.iter().map(|frame| frame.function.as_str()).collect()
    }

    fn keep(captured: &CapturedStack) -> Trace {
        Trace::keep(captured, LAYER, Vec::new(), false)
    }

    #[test]
    fn script_frames_stand_where_they_ran() {
        let native = || {
            [
                "native",
                "Builtins_CallApiCallback",
                "Builtins_InterpreterEntryTrampoline",
                "0x7f00",
                "Builtins_JSEntry",
                "main",
            ]
            .map(frame)
            .to_vec()
        };
        let outer = ["native", "Builtins_CallApiCallback"];
        let inner = ["Builtins_JSEntry", "main"];
        let merged = with_script(native(), &[script("a"), script("b")], LAYER);
        assert_eq!(names(&merged), [&outer[..], &["a", "b"], &inner].concat());
        assert_eq!(merged[2].source().as_deref(), Some("app.js:1:2"));
        // One was inlined into the compiled one.
        let merged = with_script(native(), &[script("a"), script("b"), script("c")], LAYER);
        assert_eq!(
            names(&merged),
            [&outer[..], &["a", "b", "c"], &inner].concat()
        );
        // V8 kept fewer than ran: the native frames stay.
        let merged = with_script(native(), &[script("a")], LAYER);
        assert_eq!(
            names(&merged),
            [&outer[..], &["a", "0x7f00"], &inner].concat()
        );
        // The walk ended before them.
        let merged = with_script(vec![frame("native")], &[script("a")], LAYER);
        assert_eq!(names(&merged), ["native", "a"]);
    }

    #[test]
    fn own_frames_and_the_runtime_are_left_out() {
        let all = [
            "backtrace::trace_unsynchronized",
            "<handleguard::guard::TurnGuard<E> as core::ops::drop::Drop>::drop",
            "std::thread::local::LocalKey<T>::try_with",
            "core::ptr::drop_in_place<handleguard::guard::TurnGuard<V8>>",
            "core::ptr::drop_glue::<handleguard::guard::TurnGuard<V8>>",
            "<v8::data::Function as handleguard_v8::call::GuardedFunction>::guarded_call",
            "std::thread::local::LocalKey<T>::with",
            "app::on_close",
            "handleguard::testing::run",
            "app::main",
            "core::ops::function::FnOnce::call_once",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "main",
        ];
        let kept: Vec<String> = prune(all.iter().map(|name| frame(name)).collect(), LAYER)
            .into_iter()
            .map(|frame| frame.function)
            .collect();
        assert_eq!(kept, ["app::on_close", "app::main"]);
    }

    #[test]
    fn inlined_frames_without_a_path_are_known_by_their_file() {
        let inlined = |function, file| Frame::for_test(function, FrameKind::Native, Some(file));
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
        let kept = prune(frames, LAYER);
        assert_eq!(kept.len(), 1, "{kept:#?}");
        assert_eq!(kept[0].function, "on_close");
    }

    #[test]
    fn a_stack_of_own_frames_only_is_kept_whole() {
        let own = vec![frame("handleguard::callback"), frame("backtrace::trace")];
        assert_eq!(prune(own.clone(), LAYER), own);
    }

    #[test]
    fn a_capture_holds_the_caller() {
        let frames = keep(&CapturedStack::from(Origin::here(), UnwindMethod::Tables)).frames();
        assert!(
            frames[0].function.contains("a_capture_holds_the_caller"),
            "{frames:#?}"
        );
    }

    #[test]
    fn a_stack_deeper_than_the_limit_is_marked_as_cut() {
        #[inline(never)]
        fn deep(left: u32) -> CapturedStack {
            if left == 0 {
                return CapturedStack::from(Origin::here(), UnwindMethod::Tables);
            }
            std::hint::black_box(deep(left - 1))
        }
        let trace = keep(&deep(200));
        assert!(trace.is_cut());
        assert!(trace.to_string().ends_with("(cut after 128 frames)\n"));
        assert!(!keep(&deep(1)).is_cut());
    }

    #[test]
    fn a_stack_that_cannot_be_followed_is_marked_as_cut() {
        for (cut, line) in [
            (
                Truncated::LeftTheStack,
                "           (cut: the next frame is not on this thread's stack)\n",
            ),
            (
                Truncated::NoWay,
                "           (cut: neither an unwind table nor a frame pointer leads further)\n",
            ),
        ] {
            let trace = Trace::new(&[], Some(cut), LAYER, Vec::new(), false);
            assert_eq!(trace.to_string(), line);
            assert!(trace.is_cut());
        }
    }
}
