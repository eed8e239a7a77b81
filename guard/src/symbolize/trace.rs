//! The stack of a violation: kept as addresses, named when it is shown, as one list from the callback out to `main` through
//! native, engine and script frames.

use crate::engine::script_frame::ScriptFrame;
use crate::engine::wording::FrameClassifier;
use crate::symbolize::address::Address;
use crate::symbolize::frame::{Frame, FrameKind};
use crate::symbolize::located_stack::LocatedStack;
use crate::unwind::capture::CapturedStack;
use crate::unwind::truncated::{MAX_FRAMES, Truncated};
use std::fmt;

/// The stack of a violation, innermost frame first.
///
/// Native frames are kept as addresses with their modules. [`frames`](Self::frames) looks up names for them, on any thread, and
/// also after a module was unloaded. The engine named the frames of script when the violation was found.
#[derive(Clone, Debug)]
pub struct Trace {
    stack: LocatedStack,
    script: Box<[ScriptFrame]>,
    truncated: Option<Truncated>,
    /// Every frame is shown, the checker's own and the engine's too.
    full: bool,
    classifier: &'static FrameClassifier,
}

impl Trace {
    /// Keeps a captured stack, with the frames of script that the engine names now.
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
        truncated: Option<Truncated>,
        classifier: &'static FrameClassifier,
        script: Vec<ScriptFrame>,
        full: bool,
    ) -> Self {
        Self {
            stack: LocatedStack::new(ips),
            script: script.into(),
            truncated,
            full,
            classifier,
        }
    }

    /// Another stack of the same thread, shown in the same way, with the same functions of the script on it.
    pub(crate) fn of_stack(&self, ips: &[usize]) -> Self {
        let truncated = (ips.len() == MAX_FRAMES).then_some(Truncated::TooDeep);
        Self::new(
            ips,
            truncated,
            self.classifier,
            self.script.to_vec(),
            self.full,
        )
    }

    /// Looks up the names of the frames, from the callback out to `main` or the thread's start. Frames of the checker itself
    /// and of the runtime below `main` are left out, unless the directive `full-stack` is set.
    ///
    /// Slow (milliseconds the first time): reads the files of the program and its shared objects. It keeps only the names, and
    /// of those the newest MiB.
    pub fn frames(&self) -> Vec<Frame> {
        let mut native = Vec::new();
        let addresses: Vec<Address<'_>> = self.stack.addresses().collect();
        Frame::resolve_all(&addresses, self.classifier, &mut native);
        if !self.full {
            native = prune(native, self.classifier);
        }
        show_build_ids_once(&mut native);
        with_script(native, &self.script, self.classifier)
    }

    /// Returns the stack as one line, outermost frame first, in the format of flame graphs: `main;event_loop;on_close`. The
    /// engine's own frames are left out, and a semicolon in a name is shown as a colon.
    pub fn folded(&self) -> String {
        let mut names: Vec<String> = self
            .frames()
            .into_iter()
            .filter(|frame| frame.kind != FrameKind::Engine)
            // A semicolon would begin another frame.
            .map(|frame| frame.function.replace(';', ":"))
            .collect();
        names.reverse();
        names.join(";")
    }

    /// Returns the captured address of each native frame, innermost first.
    pub fn addresses(&self) -> &[usize] {
        self.stack.ips()
    }

    /// Whether outer frames are missing: the stack is deeper than [`MAX_FRAMES`], it leaves the thread's
    /// own stack, or a frame has neither an unwind table nor a frame pointer.
    pub fn is_truncated(&self) -> bool {
        self.truncated.is_some()
    }

    /// Passes each line of the stack to `line`, with the frames of the engine folded.
    pub(crate) fn lines(&self, mut line: impl FnMut(Line<'_>) -> fmt::Result) -> fmt::Result {
        let frames = self.frames();
        let mut rest = frames.as_slice();
        let mut number = 0;
        while let Some(first) = rest.first() {
            let folded = if self.full { 0 } else { engine_run(rest) };
            if folded > 1 {
                line(Line::Folded(folded, self.classifier.name))?;
                rest = &rest[folded..];
            } else {
                line(Line::Frame(number, first))?;
                rest = &rest[1..];
                number += 1;
            }
        }
        if let Some(why) = self.truncated {
            line(Line::Truncated(why))?;
        }
        Ok(())
    }
}

/// Returns how many of the first frames are the engine's, with the frames of the standard library between and after them.
fn engine_run(frames: &[Frame]) -> usize {
    let run = frames
        .iter()
        .take_while(|frame| frame.kind == FrameKind::Engine || frame.is_std())
        .count();
    let engine = frames[..run]
        .iter()
        .any(|frame| frame.kind == FrameKind::Engine);
    if engine { run } else { 0 }
}

/// One line of a stack in a report.
pub(crate) enum Line<'a> {
    /// A frame and its number.
    Frame(usize, &'a Frame),
    /// The number of folded frames, and the name of the engine that they belong to.
    Folded(usize, &'a str),
    /// The outer frames are missing, for this reason.
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
            Line::Truncated(why) => writeln!(f, "           ({why})"),
        })
    }
}

/// Removes the checker's own frames, the frames of the standard library between them and the user's, and the runtime below
/// `main`. Returns all frames if none would be left.
fn prune(frames: Vec<Frame>, classifier: &FrameClassifier) -> Vec<Frame> {
    let is_checker = |frame: &Frame| frame.is_checker(classifier);
    let leading = frames
        .iter()
        .take_while(|frame| is_checker(frame) || frame.is_std())
        .count();
    // The standard library's frames go with the checker's on both sides, as `core::mem::drop` of a guard does.
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

/// Leaves the build id at the first frame of each module.
fn show_build_ids_once(frames: &mut [Frame]) {
    let mut shown: Vec<String> = Vec::new();
    for frame in frames {
        let Some(id) = frame.build_id() else { continue };
        if shown.iter().any(|it| it == id) {
            frame.forget_build_id();
        } else {
            shown.push(id.to_owned());
        }
    }
}

/// Puts the frames of script where they ran: each replaces the native frame that runs that function of the script.
///
/// If there are more frames of script than such native frames, the engine has inlined functions into compiled code. The extra
/// ones are put at the innermost frame of compiled code, so the order stays right. If the walk ended before any native frame
/// that runs script, the frames of script come last.
fn with_script(
    native: Vec<Frame>,
    script: &[ScriptFrame],
    classifier: &FrameClassifier,
) -> Vec<Frame> {
    let running = native
        .iter()
        .filter(|frame| frame.runs_script(classifier))
        .count();
    let mut inlined = script.len().saturating_sub(running);
    let mut script = script.iter();
    let mut frames = Vec::with_capacity(native.len() + script.len());
    for frame in native {
        if !frame.runs_script(classifier) {
            frames.push(frame);
            continue;
        }
        let here = if frame.is_compiled_script() {
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
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    use crate::symbolize::module::{Identity, LoadedModule, Module};
    use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    use std::sync::Arc;

    const LAYER: &FrameClassifier = &FrameClassifier {
        name: "an engine",
        file: Some("layer/src/engine.rs"),
        own_paths: &["a_layer::"],
        engine_crate: Some("engine-"),
        engine_symbols: &["Builtins_", "engine::"],
        script_symbols: &["Builtins_Interpreter"],
        internal_symbols: &[],
        native_call_symbols: &[],
    };

    fn frame(function: &str) -> Frame {
        Frame::for_test(function, FrameKind::Native, None)
    }

    fn script(function: &str) -> ScriptFrame {
        ScriptFrame {
            function: function.into(),
            script: "app.js".into(),
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
        // The engine named fewer frames than ran: the native ones stay.
        let merged = with_script(native(), &[script("a")], LAYER);
        assert_eq!(
            names(&merged),
            [&outer[..], &["a", "0x7f00"], &inner].concat()
        );
        // The walk ended before the frames that run script.
        let merged = with_script(vec![frame("native")], &[script("a")], LAYER);
        assert_eq!(names(&merged), ["native", "a"]);
    }

    #[test]
    fn own_frames_and_the_runtime_are_left_out() {
        let all = [
            "backtrace::trace_unsynchronized",
            "<handleguard::guards::turn::TurnGuard<E> as core::ops::drop::Drop>::drop",
            "std::thread::local::LocalKey<T>::try_with",
            "core::ptr::drop_in_place<handleguard::guards::turn::TurnGuard<Fake>>",
            "core::ptr::drop_glue::<handleguard::guards::turn::TurnGuard<Fake>>",
            "<engine::Function as a_layer::call::GuardedFunction>::guarded_call",
            "core::ptr::drop_in_place<a_layer::turn::Turn>",
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
            inlined("push", "/build/guard/src/thread/fast_path.rs"),
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
    fn a_stack_deeper_than_the_limit_is_marked_as_truncated() {
        #[inline(never)]
        fn deep(left: u32) -> CapturedStack {
            if left == 0 {
                return CapturedStack::from(Origin::here(), UnwindMethod::Tables);
            }
            std::hint::black_box(deep(left - 1))
        }
        let trace = keep(&deep(200));
        assert!(trace.is_truncated());
        assert!(trace.to_string().ends_with("(cut after 128 frames)\n"));
        assert!(!keep(&deep(1)).is_truncated());
    }

    #[test]
    fn a_stack_that_cannot_be_followed_is_marked_as_truncated() {
        for (truncated, line) in [
            (
                Truncated::LeftTheStack,
                "           (cut: the next frame is not on this thread's stack)\n",
            ),
            (
                Truncated::NoWay,
                "           (cut: neither an unwind table nor a frame pointer leads further)\n",
            ),
        ] {
            let trace = Trace::new(&[], Some(truncated), LAYER, Vec::new(), false);
            assert_eq!(trace.to_string(), line);
            assert!(trace.is_truncated());
        }
    }

    /// A stack of code that nothing names, in a file that is gone.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn unnamed(is_program: bool, identity: Identity) -> Trace {
        let module = Module::new(is_program, vec!["/gone/libtimers.so".into()], identity);
        let loaded = LoadedModule {
            module: Arc::new(module),
            bias: 0x7f00_0000_0000,
            range: 0x7f00_0000_0000..0x7f00_0010_0000,
        };
        Trace {
            stack: LocatedStack::for_test(&[0x7f00_0000_1a2b, 0x7f00_0000_2f01], loaded),
            ..Trace::new(&[], None, LAYER, vec![script("a")], false)
        }
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn code_without_a_name_shows_its_place_in_its_module_and_once_the_build_id() {
        let id = || Identity::BuildId([0x12, 0x34, 0xab, 0xcd].into());
        let trace = unnamed(false, id());
        assert_eq!(
            trace.to_string(),
            "        0: libtimers.so+0x1a2b [build id 1234abcd]
        1: libtimers.so+0x2f01
        2: a [JavaScript]
             at app.js:1:2
"
        );
        let frames = trace.frames();
        assert_eq!(frames[0].function, "libtimers.so+0x1a2b");
        assert_eq!(frames[0].module.as_deref(), Some("libtimers.so"));
        assert!(!frames[0].has_name());
        assert!(!frames[0].runs_script(LAYER), "it is in a module");
        assert_eq!(trace.folded(), "a;libtimers.so+0x2f01;libtimers.so+0x1a2b");
        assert_eq!(trace.addresses(), [0x7f00_0000_1a2b, 0x7f00_0000_2f01]);
        assert_eq!(unnamed(true, id()).frames()[0].module, None);
        assert!(
            unnamed(false, Identity::Headers([].into()))
                .to_string()
                .starts_with("        0: libtimers.so+0x1a2b\n")
        );
    }

    #[test]
    fn code_in_no_module_shows_its_address() {
        let trace = Trace::new(&[0x10], None, LAYER, Vec::new(), false);
        assert_eq!(trace.to_string(), "        0: 0x10\n");
        assert!(trace.frames()[0].runs_script(LAYER));
    }
}
