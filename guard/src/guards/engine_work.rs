//! Host code that the engine calls in work of its own, on a thread that has not entered the isolate.
//!
//! The thread that has entered it may be using it at the same time. So nothing of the isolate is read here, and nothing of it is
//! recorded for this thread; the records of other threads [doubt](crate::detect::stack::ScopeStack::doubt_counts) the engine's counts
//! from then on.

use crate::describe::beginning::Beginning;
use crate::detect::isolate;
use crate::engine::entered::Entered;
use crate::engine::interface::Engine;
use crate::guards::session::leaving;
use crate::pipeline::violated;
use crate::place::Place;
use crate::process::global;
use crate::thread::isolates;
use crate::thread::state::ThreadState;

/// Whether code of the host, where a guard sees something begin at `place`, runs in the engine's own work. Reports `wrong-thread`
/// then, unless a [hook](hook_sees_beginning) has just reported the same.
#[inline]
pub(crate) fn guard_sees_beginning<E: Engine>(
    engine: E,
    beginning: Beginning,
    place: Place,
) -> bool {
    if engine.entered() != Entered::ByEngine {
        return false;
    }
    if !take_hooked() {
        report(engine, beginning, place);
    }
    true
}

/// As [`guard_sees_beginning`], where a hook sees it.
#[inline]
pub(crate) fn hook_sees_beginning<E: Engine>(
    engine: E,
    beginning: Beginning,
    place: Place,
) -> bool {
    if engine.entered() != Entered::ByEngine {
        return false;
    }
    report(engine, beginning, place);
    let _ = ThreadState::with(|thread| thread.hooked_engine_work.set(true));
    true
}

/// Whether a hook sees a scope end in the engine's own work.
#[inline]
pub(crate) fn hook_sees_end<E: Engine>(engine: E) -> bool {
    if engine.entered() != Entered::ByEngine {
        return false;
    }
    take_hooked();
    isolates::note_race(engine.isolate());
    true
}

/// Whether a hook has reported a beginning for which no guard has asked yet.
fn take_hooked() -> bool {
    ThreadState::with(|thread| thread.hooked_engine_work.replace(false)) == Some(true)
}

#[cold]
fn report<E: Engine>(engine: E, beginning: Beginning, place: Place) {
    if global::start().is_off() {
        return;
    }
    // First, for the other thread may judge at any time.
    isolates::note_race(engine.isolate());
    let finding = isolate::judge(engine.isolate(), Entered::ByEngine, beginning, place);
    let _ = leaving(|session| {
        if let Some(finding) = finding {
            // The engine's frames are below: no panic may unwind them.
            violated(session, engine, finding, true, || None);
        }
    });
}
