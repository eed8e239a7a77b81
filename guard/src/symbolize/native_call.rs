//! Who called the native code that runs inside a callback: the script, by a function of the engine that calls native functions
//! for it, or the engine on its own account.
//!
//! Strict mode asks. Native code that the script calls may be called by the event loop another time. What the engine calls
//! through its own hooks, as V8 calls the host's code for `import.meta` and for promises, never is.

use crate::engine::wording::FrameClassifier;
use crate::symbolize::by_address::ByAddress;
use crate::symbolize::frame::Frame;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};

/// What is known of a return address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    /// The engine calls a native function for the script there.
    NativeCall,
    /// Other code of the engine.
    Engine,
    /// Code of the host, of the binding crate, of the checker; or compiled script, which has no name.
    Other,
}

/// The addresses that were looked up.
static KNOWN: ByAddress<Code> = ByAddress::new();

/// Whether the script called the native code that runs now, on top of `origin`. `true` if the classifier has no names of native
/// calls, and `false` if no function of the engine is found on the stack.
pub(crate) fn is_by_script(origin: Origin, classifier: &FrameClassifier) -> bool {
    if classifier.native_call_symbols.is_empty() {
        return true;
    }
    let stack = CapturedStack::from(origin, UnwindMethod::Tables);
    KNOWN.prepare(stack.ips());
    let mut code = stack.ips().iter().map(|&ip| code_at(ip, classifier));
    code.find(|&code| code != Code::Other) == Some(Code::NativeCall)
}

fn code_at(ip: usize, classifier: &FrameClassifier) -> Code {
    KNOWN.get(ip, || {
        let mut frames = Vec::new();
        Frame::resolve(ip, classifier, &mut frames);
        frames
            .iter()
            .map(|frame| code_of(&frame.function, classifier))
            .find(|&code| code != Code::Other)
            .unwrap_or(Code::Other)
    })
}

fn code_of(function: &str, classifier: &FrameClassifier) -> Code {
    let is_one_of = |symbols: &[&str]| symbols.iter().any(|symbol| function.starts_with(symbol));
    if is_one_of(classifier.native_call_symbols) {
        Code::NativeCall
    } else if is_one_of(classifier.internal_symbols) {
        Code::Engine
    } else {
        Code::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &FrameClassifier = &FrameClassifier {
        internal_symbols: &["Builtins_", "engine::internal::"],
        native_call_symbols: &["Builtins_CallApi", "engine::internal::HandleApiCall"],
        ..*FrameClassifier::NONE
    };

    #[test]
    fn the_name_of_a_function_says_whose_code_it_is() {
        for (function, code) in [
            ("Builtins_CallApiCallbackGeneric", Code::NativeCall),
            (
                "engine::internal::HandleApiCallHelper(int)",
                Code::NativeCall,
            ),
            ("Builtins_InterpreterEntryTrampoline", Code::Engine),
            (
                "engine::internal::Runtime_PromiseHookInit(int)",
                Code::Engine,
            ),
            ("engine::function::Function::call", Code::Other),
            ("host::on_close", Code::Other),
            ("0x1234", Code::Other),
        ] {
            assert_eq!(code_of(function, ENGINE), code, "{function}");
        }
    }

    #[test]
    fn with_no_names_of_native_calls_every_caller_counts() {
        assert!(is_by_script(Origin::here(), FrameClassifier::NONE));
        assert!(
            !is_by_script(Origin::here(), ENGINE),
            "this stack has no engine"
        );
    }
}
