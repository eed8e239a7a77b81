//! A scope that begins its third block of handles or a further one: a sample of the handle profile, and the judge of
//! `scope-growth`.

use crate::detect::stack::outcome::ReportRef;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::pipeline::{Session, violated};
use crate::record::profile::{Sample, stack_place};
use crate::symbolize::names;
use crate::unwind::capture::{CapturedStack, Origin};

/// Samples the scope that begins its `blocks`th block, of `size` handles, with the engine at `level`, and judges it.
pub(crate) fn sample<L: LiveIsolate>(
    session: Session<'_>,
    isolate: L,
    level: u32,
    blocks: usize,
    size: u64,
) {
    let Session { checker, thread } = session;
    let engine = isolate.engine();
    let found = thread.existing_record(engine.isolate(), |stack| {
        let filling = stack.begin_block(level, blocks, checker.now(), names::kept)?;
        let captured = CapturedStack::from(Origin::here(), checker.unwind_method());
        let sample = Sample {
            kind: filling.kind,
            opener: filling.place,
            size,
            held: filling.held(size),
        };
        let classifier = L::Engine::WORDING.classifier;
        if let Some(filler) = checker.profile.add(&sample, &captured, classifier) {
            filling.add_sample(filler);
        }
        if let Some(report_ref) = filling.report_ref {
            return Some((Err(report_ref), false));
        }
        let finding = stack.scope_growth(size, stack_place)?;
        Some((Ok(finding), stack.engine_is_below()))
    });
    match found.flatten() {
        // Another block of a scope that was reported.
        Some((Err(ReportRef::Site(slot)), _)) => checker.count_again(slot, thread.lane(), size),
        Some((Err(ReportRef::Collected(index)), _)) => thread.collected.add_handles(index, size),
        Some((Ok(finding), below)) => {
            let report_ref = violated(session, engine, finding, below, || None);
            thread.existing_record(engine.isolate(), |stack| {
                stack.set_report_of_filling(report_ref);
            });
        }
        None => {}
    }
}
