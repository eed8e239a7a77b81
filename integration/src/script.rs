//! JavaScript as V8 describes it: the function that is called, and the functions on the stack.
//!
//! Each question makes handles, in a scope of its own, so that no count of the host changes.

use crate::ffi::{self, RawIsolate};
use handleguard::{ForeignText, MAX_FOREIGN_TEXT, MAX_FRAMES, ScriptFrame};
use v8::PinScope;

/// Runs `ask` in a scope of its own. `None` if the v8 crate has given up the isolate, which then ends: its scopes need the annex that
/// the crate keeps in the isolate's first slot (`isolate.rs`, `ANNEX_SLOT`) and frees before V8 disposes of the isolate.
///
/// # Safety
///
/// `isolate` is a live isolate that may be used on this thread.
unsafe fn in_own_scope<R>(
    isolate: *mut RawIsolate,
    ask: impl FnOnce(&PinScope<'_, '_>) -> R,
) -> Option<R> {
    const ANNEX_SLOT: u32 = 0;
    // SAFETY: `isolate` is live, as this function requires; V8 only reads the slot.
    if unsafe { ffi::v8__Isolate__GetData(isolate, ANNEX_SLOT) }.is_null() {
        return None;
    }
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires, and the value does not leave the
    // function. `from_raw_ptr_unchecked` takes the address under the v8 crate's own name for it.
    let mut isolate = unsafe { v8::Isolate::from_raw_ptr_unchecked(isolate.cast()) };
    v8::scope!(let scope, &mut isolate);
    // SAFETY: `HandleScope` has its context parameter only in a `PhantomData`; the v8 crate's own `Deref` from one to the
    // other is this cast the other way round (`scope.rs`, `cast_pinned_ref`). What is asked in here looks at functions and
    // frames alone, and not at the current context.
    let scope: &PinScope<'_, '_> = unsafe { std::mem::transmute(&*scope) };
    Some(ask(scope))
}

/// Returns `onClose (handlers.js:12:20)`, as a stack trace of JavaScript shows it; `<anonymous>` if the function has no name.
///
/// # Safety
///
/// `isolate` is the live isolate of `function`, and may be used on this thread.
#[cold]
pub(crate) unsafe fn callee(isolate: *mut RawIsolate, function: &v8::Function) -> String {
    let describe = |scope: &PinScope<'_, '_>| {
        let name = named(foreign(scope, function.get_name(scope)));
        let script = function
            .get_script_origin(scope)
            .resource_name()
            // A value's own conversion asks for the current context, and there may be none.
            .and_then(|name| v8::Local::<v8::String>::try_from(name).ok())
            .map(|name| foreign(scope, name));
        let line = function.get_script_line_number().map(|line| line + 1);
        let column = function.get_script_column_number().map(|column| column + 1);
        match (script, line, column) {
            (Some(script), Some(line), Some(column)) => {
                format!("{name} ({script}:{line}:{column})")
            }
            (Some(script), ..) => format!("{name} ({script})"),
            (None, ..) => name.to_string(),
        }
    };
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires.
    unsafe { in_own_scope(isolate, describe) }.unwrap_or_default()
}

/// Returns the frames of JavaScript on the stack, innermost first.
///
/// # Safety
///
/// `isolate` is a live isolate that may be used on this thread.
#[cold]
pub(crate) unsafe fn frames(isolate: *mut RawIsolate) -> Vec<ScriptFrame> {
    let walk = |scope: &PinScope<'_, '_>| {
        let trace = v8::StackTrace::current_stack_trace(scope, MAX_FRAMES)?;
        let mut names = Names::default();
        let frame = |index| {
            let frame = trace.get_frame(scope, index)?;
            Some(ScriptFrame {
                function: names.of_function(scope, &frame),
                script: names.of_script(scope, &frame),
                line: u32::try_from(frame.get_line_number()).ok()?,
                column: u32::try_from(frame.get_column()).ok()?,
            })
        };
        Some((0..trace.get_frame_count()).filter_map(frame).collect())
    };
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires.
    let frames: Option<Option<Vec<ScriptFrame>>> = unsafe { in_own_scope(isolate, walk) };
    frames.flatten().unwrap_or_default()
}

/// The names on one stack, so that frames share them: all frames of a script its name, and neighbours of equal name theirs, as
/// those of a recursion are.
#[derive(Default)]
struct Names {
    /// By the id of the script.
    scripts: Vec<(usize, ForeignText)>,
    last_function: Option<ForeignText>,
}

impl Names {
    fn of_function(&mut self, scope: &PinScope<'_, '_>, frame: &v8::StackFrame) -> ForeignText {
        let name = frame.get_function_name(scope);
        let name = named(name.map_or_else(|| "".into(), |name| foreign(scope, name)));
        if self.last_function.as_ref() != Some(&name) {
            self.last_function = Some(name.clone());
        }
        self.last_function.clone().unwrap_or(name)
    }

    fn of_script(&mut self, scope: &PinScope<'_, '_>, frame: &v8::StackFrame) -> ForeignText {
        let id = frame.get_script_id();
        // The script of the frame before is likely the last.
        if let Some((_, name)) = self.scripts.iter().rev().find(|(known, _)| *known == id) {
            return name.clone();
        }
        let name = frame.get_script_name_or_source_url(scope);
        let name = name.map_or_else(|| "<anonymous script>".into(), |name| foreign(scope, name));
        self.scripts.push((id, name.clone()));
        name
    }
}

fn named(name: ForeignText) -> ForeignText {
    if name.is_empty() {
        "<anonymous>".into()
    } else {
        name
    }
}

/// Reads as much of a string as a foreign text keeps. A script may have a name of a megabyte, so the whole is never copied.
fn foreign(scope: &PinScope<'_, '_>, text: v8::Local<v8::String>) -> ForeignText {
    // V8 writes whole characters only, of up to 4 bytes. So a text that does not fit fills more than `MAX_FOREIGN_TEXT` bytes,
    // and is seen to be cut.
    let mut buffer = [0; MAX_FOREIGN_TEXT + 4];
    let flags = v8::WriteFlags::kReplaceInvalidUtf8;
    let written = text.write_utf8_v2(scope, &mut buffer, flags, None);
    (&*String::from_utf8_lossy(&buffer[..written])).into()
}
