//! A handle made where no scope is open for it: directly under a sealed turn, or with none at all.

use crate::detect::stack::ScopeStack;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::refused::Refused;
use crate::guards::session::entering;
use crate::pipeline::refused;

/// Reports a handle that the engine is about to refuse, as no handle may be made at its present level. `can_rescue`: the
/// engine layer can lift the seal. Handles that the turn goes on to leave are added to the report.
///
/// The engine ends the process itself if this returns [`Refused::Die`], so its own message comes after the report. `panic`
/// acts as `abort` here, for the engine's frames are on the machine stack.
pub fn handle_refused<L: LiveIsolate>(isolate: L, can_rescue: bool) -> Refused {
    let engine = isolate.engine();
    let goes_on = entering(isolate, |session| {
        let thread = session.thread;
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
        Some(goes_on)
    });
    if goes_on.unwrap_or(can_rescue) {
        Refused::Rescue
    } else {
        Refused::Die
    }
}
