//! `in-gc`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::rules::in_gc::InGc;
use crate::describe::scope::ScopeKind;
use crate::engine::aftermath::Aftermath;
use crate::tests::host::{ALL, Host, NOTHING, place};

const SCOPE: Beginning = Beginning::Scope(ScopeKind::HandleScope);

#[test]
fn what_begins_in_a_phase_that_may_not_run_javascript_is_reported() {
    for phase in [
        GcPhase::Callback,
        GcPhase::FirstPass,
        GcPhase::Destructor,
        GcPhase::Teardown,
    ] {
        let mut host = Host::new(ALL);
        host.open("main");
        assert_eq!(host.stack.in_gc(SCOPE, place("outside")), None);
        let counts = host.counts();
        let gc = host.stack.begin_gc(phase, place("weak"), counts);
        let found = host.stack.in_gc(Beginning::Callback, place("inside"));
        assert_eq!(
            found,
            Some(Finding::InGc(InGc {
                beginning: Beginning::Callback,
                place: place("inside"),
                phase,
                marked: Some(place("weak")),
            }))
        );
        assert_eq!(found.unwrap().rule(), Rule::InGc);
        assert!(host.stack.must_not_ask());
        // `in-gc` is the one report of this bug.
        let (callback, missing) = host.begin("inside");
        assert_eq!(missing, None);
        host.end(callback);
        host.end_turn(gc);
        assert_eq!(host.stack.in_gc(SCOPE, place("outside")), None);
        assert!(!host.stack.must_not_ask());
    }
}

#[test]
fn a_finalizer_may_make_handles_in_a_scope_of_its_own() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let interrupted = host.open("interrupted");
        let counts = host.counts();
        let finalizer = host
            .stack
            .begin_gc(GcPhase::SecondPass, place("finalizer"), counts);
        assert_eq!(host.stack.in_gc(SCOPE, place("own")), None);
        assert!(!host.stack.must_not_ask());
        let own = host.open("own");
        host.make(2);
        host.close(own);
        assert_eq!(host.end_turn(finalizer), []);
        let callback = host.begin_silent("on_read");
        host.end(callback);
        host.close(interrupted);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn a_finalizer_may_not_call_javascript() {
    let mut host = Host::new(ALL);
    host.open("main");
    let counts = host.counts();
    host.stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), counts);
    host.open("own");
    let found = host.stack.in_gc(Beginning::Callback, place("on_gone"));
    assert_eq!(found.map(|found| found.rule()), Some(Rule::InGc));
}

#[test]
fn handles_that_a_finalizer_leaves_are_its_own_and_not_the_turns() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let counts = host.counts();
    let finalizer = host
        .stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), counts);
    host.make(3);
    let found = host.end_turn(finalizer);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule(), Rule::OuterGrowth);
    assert_eq!(found[0].handles(), 3);
    assert_eq!(host.end_turn(uv_run), []);
}

#[test]
fn a_collection_that_the_engine_reports_needs_no_guard() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.stack.collection_begins();
    assert_eq!(
        host.stack.in_gc(SCOPE, place("prologue")),
        Some(Finding::InGc(InGc {
            beginning: SCOPE,
            place: place("prologue"),
            phase: GcPhase::Callback,
            marked: None,
        }))
    );
    let counts = host.counts();
    let finalizer = host
        .stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), counts);
    assert_eq!(host.stack.in_gc(SCOPE, place("own")), None);
    host.end_turn(finalizer);
    host.stack.collection_ends(true);
    assert_eq!(host.stack.in_gc(SCOPE, place("after")), None);
}

#[test]
fn what_the_engine_runs_after_a_collection_is_judged_until_it_has_no_more_to_do() {
    let mut host = Host::new(ALL);
    host.open("main");
    let begins = |host: &mut Host, aftermath, beginning| {
        host.stack.look_at_aftermath(|| aftermath);
        let found = host.stack.in_gc(beginning, place("inside"))?;
        let Finding::InGc(InGc { phase, marked, .. }) = found else {
            panic!("{found}");
        };
        assert_eq!(marked, None);
        Some(phase)
    };
    // Not asked for: no collection was seen.
    assert_eq!(begins(&mut host, Aftermath::Destructor, SCOPE), None);
    assert!(host.stack.fast_path_limits().is_some());
    host.stack.collection_begins();
    host.stack.collection_ends(false);
    for (aftermath, beginning, phase) in [
        (Aftermath::Sweeping, SCOPE, None),
        (Aftermath::Destructor, SCOPE, Some(GcPhase::Destructor)),
        (
            Aftermath::Destructor,
            Beginning::Callback,
            Some(GcPhase::Destructor),
        ),
        (Aftermath::Finalizer, SCOPE, None),
        (
            Aftermath::Finalizer,
            Beginning::Callback,
            Some(GcPhase::SecondPass),
        ),
        (Aftermath::Sweeping, Beginning::Callback, None),
    ] {
        assert_eq!(
            begins(&mut host, aftermath, beginning),
            phase,
            "{aftermath:?}"
        );
        assert_eq!(host.stack.fast_path_limits(), None);
    }
    assert_eq!(begins(&mut host, Aftermath::Over, SCOPE), None);
    assert!(host.stack.fast_path_limits().is_some());
    assert_eq!(begins(&mut host, Aftermath::Destructor, SCOPE), None);
}
