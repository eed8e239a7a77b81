use crate::engine::capabilities::Capabilities;
use crate::engine::counters::{Counters, Cursor};
use crate::engine::entered::Entered;
use crate::engine::ids::{EntryId, IsolateId};
use crate::engine::script_frame::ScriptFrame;
use crate::engine::wording::Wording;
/// What the checker asks of an engine instance. Implemented once per engine, ten lines; `handleguard-v8` has V8's.
///
/// A value names one live instance, and is kept in each guard: make it as small as a pointer.
pub trait Engine: Copy + 'static {
    /// The engine's own words, for messages.
    const WORDING: &'static Wording;

    /// Whether the guards are dropped by Rust code that a panic may unwind. Not where another language ends them: `panic`
    /// aborts there.
    const UNWINDS: bool = true;

    /// Which instance this is.
    fn isolate(self) -> IsolateId;

    /// Open handle scopes now, if that can be read.
    fn level(self) -> Option<u32>;

    /// Handles alive now, if that can be read.
    fn handles(self) -> Option<u64>;

    /// Where the next handle goes, if that can be read. Asked at each scope, so a load or two.
    fn cursor(self) -> Option<Cursor> {
        None
    }

    /// Where level and cursor are counted, so that a guard can look by itself.
    fn counters(self) -> Option<Counters> {
        None
    }

    /// Whether the handle at that address is surely one of this instance.
    fn holds(self, _handle: usize) -> bool {
        false
    }

    /// Which instance is entered on this thread.
    fn entered(self) -> Entered {
        Entered::Unknown
    }

    /// Whether that is surely this one.
    #[inline]
    fn is_entered(self) -> bool {
        self.entered() == Entered::Isolate(self.isolate())
    }

    /// Has the engine refuse every handle until a scope is opened, for the turn of that name; whether it does.
    fn seal(self, _turn: EntryId) -> bool {
        false
    }

    /// Ends that.
    fn unseal(self, _turn: EntryId) {}

    /// Whether a refused handle can be let through after all, so that `sealed` can have an action that goes on.
    fn can_rescue(self) -> bool {
        false
    }

    /// What can be read of this engine and what can't. Asked once, for the start-up line.
    fn capabilities(self) -> Capabilities;

    /// The frames of script that are on the stack, innermost first. Asked where a violation is described, and must change no
    /// count of the host.
    fn script_frames(self) -> Vec<ScriptFrame> {
        Vec::new()
    }
}
