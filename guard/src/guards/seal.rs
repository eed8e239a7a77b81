//! A handle made where no scope is open for it: directly under a sealed turn, or with none at all.

use crate::describe::makers::Seen;
use crate::detect::stack::ScopeStack;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::refused::Refused;
use crate::guards::session::entering;
use crate::pipeline::refused;
use crate::thread::state::ThreadState;
use crate::unwind::capture::{CapturedStack, Origin, UnwindMethod};

/// Reports a handle that the engine is about to refuse, as no handle may be made at its present level. `can_rescue`: the
/// engine layer can lift the seal. Handles that the turn goes on to leave are added to the report.
///
/// Where the rule `sealed` has no action of its own, a seal that can be lifted only shows who makes handles: nothing is reported
/// here, and the report of `outer-growth` at the end of the turn names the function.
///
/// The engine ends the process itself if this returns [`Refused::Die`], so its own message comes after the report. `panic`
/// acts as `abort` here, for the engine's frames are on the machine stack.
pub fn handle_refused<L: LiveIsolate>(isolate: L, can_rescue: bool) -> Refused {
    let engine = isolate.engine();
    let fate = entering(isolate, |session| {
        let thread = session.thread;
        if can_rescue && !session.checker.config.seals_turns() {
            return Some(catch(thread, isolate));
        }
        let (finding, reported) = thread
            .existing_record(engine.isolate(), |stack| {
                (
                    stack.refused(isolate.level()),
                    stack.last_report().is_some(),
                )
            })
            // No guard and no hook has recorded this isolate on this thread.
            .unwrap_or_else(|| (ScopeStack::new().refused(isolate.level()), false));
        if reported {
            // The callback that was reported before made it; its handles are added to that report.
            return None;
        }
        let (goes_on, report_ref) = refused(session, engine, finding, can_rescue)?;
        if let Some(report_ref) = report_ref {
            thread.existing_record(engine.isolate(), |stack| {
                stack.set_last_report(report_ref);
            });
        }
        Some(self::fate(goes_on))
    });
    fate.unwrap_or_else(|| self::fate(can_rescue))
}

fn fate(goes_on: bool) -> Refused {
    if goes_on {
        Refused::Rescue
    } else {
        Refused::Die
    }
}

/// Keeps the stack of a handle that was made directly under a watched turn. Whether the handle is a leak is judged at the end of
/// the turn.
fn catch<L: LiveIsolate>(thread: &ThreadState, isolate: L) -> Refused {
    let isolate = isolate.engine().isolate();
    let after = thread.existing_record(isolate, |stack| {
        // The callback that was reported made it; or the scope of a loop that had its turns inferred is closed.
        let is_watched = stack.is_in_turn() && stack.last_report().is_none();
        is_watched.then(|| stack.last_id())
    });
    let Some(after) = after.flatten() else {
        return Refused::Rescue;
    };
    if thread.is_reporting() {
        return Refused::RescueOnce;
    }
    let stack = CapturedStack::from(Origin::here(), UnwindMethod::Tables);
    if (thread.caught).add(isolate, after, stack.ips(), Seen::Making) {
        Refused::RescueOnce
    } else {
        Refused::Rescue
    }
}
