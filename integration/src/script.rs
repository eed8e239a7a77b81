//! JavaScript as V8 describes it: the function that is called, and the functions on the stack.
//!
//! Each question makes handles, in a scope of its own, so that no count of the host changes.

use crate::ffi::RawIsolate;
use handleguard::{MAX_FRAMES, ScriptFrame};
use v8::PinScope;

/// Runs `ask` in a scope of its own.
///
/// # Safety
///
/// `isolate` is a live isolate that may be used on this thread.
unsafe fn in_own_scope<R>(isolate: *mut RawIsolate, ask: impl FnOnce(&PinScope<'_, '_>) -> R) -> R {
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires, and the value does not leave the
    // function. `from_raw_ptr_unchecked` takes the address under the v8 crate's own name for it.
    let mut isolate = unsafe { v8::Isolate::from_raw_ptr_unchecked(isolate.cast()) };
    v8::scope!(let scope, &mut isolate);
    // SAFETY: `HandleScope` has its context parameter only in a `PhantomData`; the v8 crate's own `Deref` from one to the
    // other is this cast the other way round (`scope.rs`, `cast_pinned_ref`). What is asked in here looks at functions and
    // frames alone, and not at the current context.
    let scope: &PinScope<'_, '_> = unsafe { std::mem::transmute(&*scope) };
    ask(scope)
}

/// Returns `onClose (handlers.js:12:20)`, as a stack trace of JavaScript shows it; `<anonymous>` if the function has no name.
///
/// # Safety
///
/// `isolate` is the live isolate of `function`, and may be used on this thread.
#[cold]
pub(crate) unsafe fn callee(isolate: *mut RawIsolate, function: &v8::Function) -> String {
    let describe = |scope: &PinScope<'_, '_>| {
        let name = named(function.get_name(scope).to_rust_string_lossy(scope));
        let script = function
            .get_script_origin(scope)
            .resource_name()
            // A value's own conversion asks for the current context, and there may be none.
            .and_then(|name| v8::Local::<v8::String>::try_from(name).ok())
            .map(|name| name.to_rust_string_lossy(scope));
        let line = function.get_script_line_number().map(|line| line + 1);
        let column = function.get_script_column_number().map(|column| column + 1);
        match (script, line, column) {
            (Some(script), Some(line), Some(column)) => {
                format!("{name} ({script}:{line}:{column})")
            }
            (Some(script), ..) => format!("{name} ({script})"),
            (None, ..) => name,
        }
    };
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires.
    unsafe { in_own_scope(isolate, describe) }
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
        let frame = |index| {
            let frame = trace.get_frame(scope, index)?;
            Some(ScriptFrame {
                function: named(
                    frame
                        .get_function_name(scope)
                        .map(|name| name.to_rust_string_lossy(scope))
                        .unwrap_or_default(),
                ),
                script: frame
                    .get_script_name_or_source_url(scope)
                    .map(|name| name.to_rust_string_lossy(scope))
                    .unwrap_or_else(|| "<anonymous script>".to_owned()),
                line: u32::try_from(frame.get_line_number()).ok()?,
                column: u32::try_from(frame.get_column()).ok()?,
            })
        };
        Some((0..trace.get_frame_count()).filter_map(frame).collect())
    };
    // SAFETY: `isolate` is live and may be used on this thread, as this function requires.
    let frames: Option<Vec<ScriptFrame>> = unsafe { in_own_scope(isolate, walk) };
    frames.unwrap_or_default()
}

fn named(name: String) -> String {
    if name.is_empty() {
        "<anonymous>".to_owned()
    } else {
        name
    }
}
