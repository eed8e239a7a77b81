//! The two traits by which a JavaScript engine plugs in: the name of an isolate, which guards keep, and the live isolate,
//! which answers questions.
#![expect(
    unsafe_code,
    reason = "declares the one unsafe step: from a name to a live isolate"
)]

use crate::engine::aftermath::Aftermath;
use crate::engine::capabilities::Capabilities;
use crate::engine::counters::{Counters, Cursor, EngineCounts};
use crate::engine::entered::Entered;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::script_frame::ScriptFrame;
use crate::engine::try_catches::TryCatches;
use crate::engine::wording::Wording;

/// The name of one isolate of an engine. Guards keep it, so make it as small as a pointer.
///
/// A guard may outlive its isolate, so a name reads nothing of the isolate. What reads it is a [`LiveIsolate`]:
/// [`scope`](crate::scope()) and its like take one from the caller, who has the isolate in hands; a guard that is dropped
/// gets one by [`live`](Self::live), and only while the isolate has a record on the thread.
///
/// An engine layer must call [`end_isolate`](crate::end_isolate) before it lets the isolate go, whatever way the isolate
/// ends.
pub trait Engine: Copy + 'static {
    /// How messages name the things of this engine.
    const WORDING: &'static Wording;

    /// Whether Rust code that a panic may unwind drops the guards. Where another language ends them, the action `panic`
    /// aborts instead.
    const UNWINDS: bool = true;

    /// Whether the engine may end the process where it is misused, as V8 does where a handle is made and no scope is open. A
    /// violation of that kind is logged before its thread goes on.
    const ENDS_PROCESS: bool = false;

    /// The isolate while it is live.
    type Live<'a>: LiveIsolate<Engine = Self>;

    /// The isolate's identity.
    fn isolate(self) -> IsolateId;

    /// The isolate itself, for the time `'a`.
    ///
    /// # Safety
    ///
    /// The isolate has a record on this thread: a [`LiveIsolate`] of it was passed to the checker, and
    /// [`end_isolate`](crate::end_isolate), which removes its records from all threads, has not run since. The isolate is not
    /// disposed of during `'a`.
    unsafe fn live<'a>(self) -> Self::Live<'a>;

    /// The isolate that this thread has entered last.
    fn entered(self) -> Entered {
        Entered::Unknown
    }

    /// Whether this thread has entered this isolate last. `false` where the engine does not say.
    #[inline]
    fn is_entered(self) -> bool {
        self.entered() == Entered::Isolate(self.isolate())
    }
}

/// One isolate that is live and may be used on this thread: what the checker asks.
///
/// `handleguard-v8` implements it for V8. An engine that counts neither scopes nor handles needs only the three methods
/// without a body.
pub trait LiveIsolate: Copy {
    /// The isolate's name.
    type Engine: Engine;

    /// The isolate's name, which guards keep.
    fn engine(self) -> Self::Engine;

    /// The engine's count of open handle scopes, if it can be read.
    fn level(self) -> Option<u32>;

    /// The number of handles alive in all open scopes together, if it can be read.
    fn handles(self) -> Option<u64>;

    /// Level and handles at this moment.
    #[inline]
    fn counts(self) -> EngineCounts {
        EngineCounts {
            level: self.level(),
            handles: self.handles(),
        }
    }

    /// The number of persistent handles alive in the isolate, which no scope closes, if it can be read. Called outside of
    /// collections, seldom; may take a microsecond.
    fn persistent_handles(self) -> Option<u64> {
        None
    }

    /// Whether hooks record each persistent handle that the host makes or resets, by
    /// [`persistent_handle_made`](crate::hooks::persistent_handle_made) and its counterpart. Without them, the number holds also
    /// weak handles of garbage, and those of the engine itself.
    fn hooks_persistent_handles(self) -> bool {
        false
    }

    /// The place of the next handle, if it can be read. Called for each scope, so it should cost a load or two.
    fn cursor(self) -> Option<Cursor> {
        None
    }

    /// The memory in which the engine keeps level and cursor, so that a guard can read them itself.
    fn counters(self) -> Option<Counters> {
        None
    }

    /// Whether the handle at the address `handle` belongs to this isolate. `false` where that is not certain.
    fn holds(self, _handle: usize) -> bool {
        false
    }

    /// Where the `TryCatch` at the address `storage` stands among those that are open; `None` if the engine does not say. A
    /// hook asks about one that is about to be destroyed, so its memory is readable.
    fn try_catches(self, _storage: usize) -> Option<TryCatches> {
        None
    }

    /// What the engine still does for a collection that has [ended](crate::collection_ends). Asked where something begins, from the
    /// end of a collection until the answer is [`Aftermath::Over`].
    fn aftermath(self) -> Aftermath {
        Aftermath::Over
    }

    /// Makes the engine refuse every handle until a scope is opened, for the turn `turn`. Returns whether it does.
    fn seal(self, _turn: EntryId) -> bool {
        false
    }

    /// Watches the turn `turn`, to see who makes handles directly under it: by a seal, where refused handles
    /// [can be let through](Self::can_rescue), or by [`hooks::engine_called`](crate::hooks::engine_called). Returns whether it does;
    /// [`unseal`](Self::unseal) ends it.
    fn watch(self, _turn: EntryId) -> bool {
        false
    }

    /// Lifts the seal of `turn`, and ends the watch of it.
    fn unseal(self, _turn: EntryId) {}

    /// Whether the engine layer can let a refused handle through, so that the rule `sealed` may have an action that goes on.
    fn can_rescue(self) -> bool {
        false
    }

    /// What can be read of this engine and what cannot. Called once, for the start-up line.
    fn capabilities(self) -> Capabilities;

    /// The frames of script on the stack, innermost first. Called when a violation is described; must leave the counts of
    /// the host as they are.
    fn script_frames(self) -> Vec<ScriptFrame> {
        Vec::new()
    }
}
