//! What the stack says of garbage collection, of leaving an isolate, of refused handles, and of itself.

use super::host::{ALL, Host, LEVEL, NOTHING, known, place, turn};
use crate::config::rule::Rule;
use crate::describe::beginning::Beginning;
use crate::describe::ended::Ended;
use crate::describe::finding::Finding;
use crate::describe::gc_phase::GcPhase;
use crate::describe::opener::Opener;
use crate::describe::rules::desync::Desync;
use crate::describe::rules::in_gc::InGc;
use crate::describe::rules::never_closed::NeverClosed;
use crate::describe::rules::sealed::Sealed;
use crate::describe::scope::ScopeKind;

const SCOPE: Beginning = Beginning::Scope(ScopeKind::HandleScope);

// in-gc

#[test]
fn what_begins_in_a_phase_that_may_not_run_script_is_reported() {
    for phase in [GcPhase::Callback, GcPhase::FirstPass, GcPhase::Teardown] {
        let mut host = Host::new(ALL);
        host.open("main");
        assert_eq!(host.stack.in_gc(SCOPE, place("outside")), None);
        let seen = host.seen();
        let gc = host.stack.begin_gc(phase, place("weak"), seen);
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
        // One bug, one report.
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
    for sees in [ALL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let interrupted = host.open("interrupted");
        let seen = host.seen();
        let finalizer = host
            .stack
            .begin_gc(GcPhase::SecondPass, place("finalizer"), seen);
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
fn a_finalizer_may_not_call_script() {
    let mut host = Host::new(ALL);
    host.open("main");
    let seen = host.seen();
    host.stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), seen);
    host.open("own");
    let found = host.stack.in_gc(Beginning::Callback, place("on_gone"));
    assert_eq!(found.map(|found| found.rule()), Some(Rule::InGc));
}

#[test]
fn handles_that_a_finalizer_leaves_are_its_own_and_not_the_turns() {
    let mut host = Host::new(ALL);
    host.open("main");
    let uv_run = host.begin_turn("uv_run");
    let seen = host.seen();
    let finalizer = host
        .stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), seen);
    host.make(3);
    let found = host.end_turn(finalizer);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule(), Rule::OuterGrowth);
    assert_eq!(found[0].handles(), 3);
    assert_eq!(host.end_turn(uv_run), []);
}

#[test]
fn the_engines_own_word_covers_what_no_guard_marks() {
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
    let seen = host.seen();
    let finalizer = host
        .stack
        .begin_gc(GcPhase::SecondPass, place("finalizer"), seen);
    assert_eq!(host.stack.in_gc(SCOPE, place("own")), None);
    host.end_turn(finalizer);
    host.stack.collection_ends();
    assert_eq!(host.stack.in_gc(SCOPE, place("after")), None);
}

// never-closed, where an isolate is left

#[test]
fn a_scope_open_where_its_isolate_is_left_is_reported() {
    for sees in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("around");
        let (entered, then) = (host.stack.now(), host.seen().level);
        host.open("early return");
        let found = host.stack.leave(entered, then, place("exit"), host.seen());
        assert_eq!(
            found,
            [Finding::NeverClosed(NeverClosed {
                scope: known(2, "early return", 0),
                ended: Ended::Exit(place("exit")),
                turn: None,
            })]
        );
    }
}

#[test]
fn leaving_an_isolate_with_its_scopes_closed_is_silent() {
    for sees in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(sees);
        host.open("around");
        let (entered, then) = (host.stack.now(), host.seen().level);
        let scope = host.open("in time");
        host.close(scope);
        let found = host.stack.leave(entered, then, place("exit"), host.seen());
        assert_eq!(found, []);
    }
}

// sealed

#[test]
fn a_refused_handle_names_the_turn_and_where_it_goes() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    let level = host.seen().level;
    assert_eq!(
        host.stack.refused(level),
        Finding::Sealed(Sealed {
            opener: known(1, "main", 1),
            turn: Some(turn(1, "uv_run")),
        })
    );
}

#[test]
fn a_handle_with_no_scope_at_all_is_told_from_a_sealed_one() {
    let mut host = Host::new(ALL);
    host.begin_turn("uv_run");
    let level = host.seen().level;
    assert_eq!(
        host.stack.refused(level),
        Finding::Sealed(Sealed {
            opener: Opener::Nothing,
            turn: None,
        })
    );
}

#[test]
fn a_handle_of_a_callback_that_was_reported_is_charged_to_that() {
    let mut host = Host::new(ALL);
    assert_eq!(host.stack.last_report(), None);
    let callback = host.begin_reported("bare");
    assert!(host.stack.last_report().is_some());
    host.end(callback);
    assert_eq!(
        host.stack.last_report(),
        None,
        "with no turn, it ends with the callback"
    );
}

// desync

#[test]
fn a_level_below_the_record_is_told_of_once_and_the_record_follows() {
    let mut host = Host::new(ALL);
    host.open("main");
    let first = host.begin_turn("first");
    let lost = host.open("lost");
    host.close_in_engine(lost);
    let level = host.seen().level;
    let found = host.stack.resync(level);
    assert_eq!(
        found,
        Some(Finding::Desync(Desync {
            recorded: 2,
            level: 1,
            innermost: place("lost"),
        }))
    );
    assert_eq!(found.unwrap().rule(), Rule::Desync);
    assert_eq!(host.stack.resync(level), None, "the record follows");
    assert_eq!(host.stack.depth(), 0);
    // Nobody is accused in the turn of the disagreement, and its guard may still come.
    host.begin_silent("bare");
    assert_eq!(host.stack.close_scope(lost), None);
    host.make(2);
    assert_eq!(host.end_turn(first), []);

    let second = host.begin_turn("second");
    let (_, found) = host.begin("bare");
    assert_eq!(found.map(|found| found.rule()), Some(Rule::MissingScope));
    let lost = host.open("lost again");
    host.close_in_engine(lost);
    assert_eq!(host.stack.resync(host.seen().level), None, "told of once");
    host.end_turn(second);
}

#[test]
fn a_scope_of_before_the_turn_that_closes_in_it_makes_no_later_scope_count_as_none() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.open_unseen();
    let doubtful = host.begin_turn("closes what it did not open");
    host.close_unseen();
    let found = host.stack.resync(host.seen().level);
    assert_eq!(found.map(|found| found.rule()), Some(Rule::Desync));
    let own = host.open("own");
    host.begin_silent("on_close");
    host.close(own);
    assert_eq!(host.end_turn(doubtful), []);
}

#[test]
fn an_engine_in_step_with_the_record_is_agreed_with() {
    for sees in [ALL, LEVEL, NOTHING] {
        let mut host = Host::new(sees);
        let main = host.open("main");
        let turn = host.begin_turn("uv_run");
        host.open_unseen();
        assert_eq!(host.stack.resync(host.seen().level), None);
        let own = host.open("own");
        assert_eq!(host.stack.resync(host.seen().level), None);
        host.close(own);
        host.close_unseen();
        assert_eq!(host.end_turn(turn), []);
        assert_eq!(host.stack.resync(host.seen().level), None);
        host.close(main);
        assert_eq!(host.stack.resync(host.seen().level), None);
    }
}
