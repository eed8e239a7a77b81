//! V8 as the checker asks it.

use crate::aftermath;
use crate::current;
use crate::interpose::{blocks, proof};
use crate::isolate::{LiveV8, V8};
use crate::{persistent, script, seal, watch};
use handleguard::{
    Aftermath, Capabilities, Counters, Cursor, Engine, Entered, EntryId, FrameClassifier,
    IsolateId, LiveIsolate, ScriptFrame, Wording,
};

impl Engine for V8 {
    const WORDING: &'static Wording = &Wording {
        open_scope: "handleguard_v8::scope!(let scope, scope);",
        mark_turn: "handleguard_v8::turn!(scope);",
        enter_isolate: "unsafe { isolate.enter() };",
        classifier: &FrameClassifier {
            name: "V8",
            file: Some(file!()),
            own_paths: &["handleguard_v8::"],
            engine_crate: Some("v8-"),
            engine_symbols: &["Builtins_", "v8::", "<v8::", "v8__", "__wrap_"],
            script_symbols: &[
                "Builtins_InterpreterEntryTrampoline",
                "Builtins_InterpreterPushArgsThenFastConstructFunction",
                "Builtins_BaselineOutOfLinePrologue",
            ],
            // V8 calls the callback for WebAssembly streaming in a microtask, by a native function that it makes for the purpose: only
            // the callback's wrapper in the v8 crate distinguishes that call from one by JavaScript.
            internal_symbols: &["Builtins_", "v8::internal::", "v8::wasm::trampoline::"],
            // JavaScript calls a function that was made from native code. V8 calls other native code by its runtime functions:
            // hooks of promises, `import.meta`, `import()`.
            native_call_symbols: &[
                "Builtins_CallApiCallback",
                "Builtins_HandleApiCall",
                "v8::internal::Builtin_HandleApiCall",
                "v8::internal::Builtins::InvokeApiFunction",
                "v8::internal::(anonymous namespace)::HandleApiCallHelper",
                "v8::internal::FunctionCallbackArguments::",
            ],
        },
    };

    const ENDS_PROCESS: bool = true;

    type Live<'a> = LiveV8<'a>;

    #[inline]
    fn isolate(self) -> IsolateId {
        IsolateId(self.as_raw().expose_provenance())
    }

    #[inline]
    unsafe fn live<'a>(self) -> Self::Live<'a> {
        // SAFETY: the isolate is not disposed of during `'a` (required by `Engine::live`).
        unsafe { LiveV8::from_raw(self.as_raw()) }
    }

    #[inline]
    fn entered(self) -> Entered {
        let current = current::isolate();
        if current.is_null() {
            Entered::None
        } else if current::is_set_by_v8() {
            Entered::ByEngine
        } else {
            Entered::Isolate(IsolateId(current.addr()))
        }
    }

    #[inline(always)]
    fn is_entered(self) -> bool {
        current::is(self.as_raw())
    }
}

impl LiveIsolate for LiveV8<'_> {
    type Engine = V8;

    #[inline]
    fn engine(self) -> V8 {
        self.name()
    }

    #[inline]
    fn level(self) -> Option<u32> {
        LiveV8::level(self)
    }

    #[inline]
    fn handles(self) -> Option<u64> {
        LiveV8::handles(self)
    }

    fn persistent_handles(self) -> Option<u64> {
        persistent::count(self)
    }

    fn hooks_persistent_handles(self) -> bool {
        proof::sees_persistent_handles()
    }

    #[inline]
    fn cursor(self) -> Option<Cursor> {
        LiveV8::cursor(self)
    }

    fn counters(self) -> Option<Counters> {
        LiveV8::counters(self)
    }

    fn holds(self, handle: usize) -> bool {
        // In V8's last block of them (`handle-scope-implementer.h`, `kHandleBlockSize`), as far as it is filled.
        const BLOCK: usize = 1022 * size_of::<usize>();
        self.cursor().is_some_and(|Cursor { next, limit }| {
            let begin = limit.saturating_sub(BLOCK);
            // Another thread may have entered the isolate since, and begin a block between the two reads.
            (begin..=limit).contains(&next) && (begin..next).contains(&handle)
        })
    }

    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    fn try_catches(self, storage: usize) -> Option<handleguard::TryCatches> {
        let storage = std::ptr::with_exposed_provenance(storage);
        // SAFETY: a hook asks, about a `TryCatch` that is about to be destroyed (`LiveIsolate::try_catches`).
        Some(unsafe { crate::interpose::scopes::try_catches(self, storage) })
    }

    fn aftermath(self) -> Aftermath {
        aftermath::of(self)
    }

    fn seal(self, turn: EntryId) -> bool {
        seal::seal(self, turn);
        true
    }

    fn watch(self, turn: EntryId) -> bool {
        if self.can_rescue() {
            seal::seal(self, turn);
        } else {
            watch::watch(self, turn);
        }
        true
    }

    fn can_rescue(self) -> bool {
        self.calibrated().is_ok() && proof::sees_refused_handles()
    }

    fn unseal(self, turn: EntryId) {
        seal::unseal(self, turn);
        watch::unwatch(self, turn);
    }

    fn script_frames(self) -> Vec<ScriptFrame> {
        // SAFETY: the isolate is live and this thread's (`LiveV8`).
        unsafe { script::frames(self.as_raw()) }
    }

    fn capabilities(self) -> Capabilities {
        // After the calibration, which it needs.
        let calibrated = self.calibrated();
        if proof::sees_refused_handles() {
            blocks::find_size(self);
        }
        Capabilities {
            level: match calibrated {
                Ok(offset) => Ok(format!(
                    "V8 {}, byte {offset} of the isolate",
                    v8::V8::get_version()
                )),
                Err(why) => Err(why.to_string()),
            },
            handles: Ok("exact, by HandleScope::NumberOfHandles".to_owned()),
            hooks: proof::capabilities(),
        }
    }
}
