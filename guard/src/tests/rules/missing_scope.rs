//! `missing-scope`: what is reported, and next to it what stays silent.

use crate::config::rule::Rule;
use crate::describe::opener::Opener;
use crate::describe::scope::ScopeKind;
use crate::tests::host::{
    ALL, HANDLES, Host, LEVEL, NOTHING, at_level, constructed, known, missing, place, turn,
};

#[test]
fn callback_with_no_scope_since_the_turn_began_is_reported() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(1, "main", 1), Some(turn(1, "uv_run"))),
            "{readable:?}"
        );
        assert_eq!(finding.unwrap().rule(), Rule::MissingScope);
    }
}

#[test]
fn callback_in_a_scope_of_its_turn_is_silent() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        for kind in [ScopeKind::HandleScope, ScopeKind::EscapableHandleScope] {
            let mut host = Host::new(readable);
            host.open("main");
            let uv_run = host.begin_turn("uv_run");
            let on_close = host.open_kind(kind, "on_close");
            let callback = host.begin_silent("on_close");
            host.make(3);
            assert_eq!(host.end(callback), []);
            assert_eq!(host.close(on_close), None);
            assert_eq!(host.end_turn(uv_run), []);
        }
    }
}

#[test]
fn a_checkpoint_needs_no_scope() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        for strict in [false, true] {
            let mut host = Host::new(readable);
            host.stack.set_strict(strict);
            host.open("main");
            let uv_run = host.begin_turn("uv_run");
            let checkpoint = host.begin_checkpoint("drain");
            // The engine's scope around the microtasks, and a call that native code makes in one of them.
            host.open_unrecorded();
            host.make(3);
            host.close_unrecorded();
            assert_eq!(host.end(checkpoint), []);
            assert_eq!(host.end_turn(uv_run), []);
        }
    }
}

#[test]
fn callback_after_the_scope_of_its_turn_has_closed_is_reported() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        let before = host.open("before");
        host.close(before);
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(1, "main", 1), Some(turn(1, "uv_run")))
        );
    }
}

#[test]
fn try_catch_is_no_scope_for_handles() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        host.open_kind(ScopeKind::TryCatch, "guarded");
        host.begin_reported("on_close");
    }
}

#[test]
fn a_scope_of_an_earlier_turn_is_named_with_its_age() {
    let mut host = Host::new(ALL);
    host.open("main");
    for _ in 0..3 {
        let idle = host.begin_turn("uv_run");
        host.end_turn(idle);
    }
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", known(1, "main", 4), Some(turn(4, "uv_run")))
    );
}

#[test]
fn the_innermost_scope_outside_the_turn_is_the_opener() {
    for readable in [ALL, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.open("server");
        host.open_kind(ScopeKind::TryCatch, "guarded");
        host.begin_turn("uv_run");
        let (_, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(2, "server", 1), Some(turn(1, "uv_run")))
        );
    }
}

#[test]
fn an_opener_without_a_guard_is_named_as_unrecorded() {
    let mut host = Host::new(ALL);
    host.open_unrecorded();
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", Opener::Unrecorded, Some(turn(1, "uv_run")))
    );

    let mut host = Host::new(ALL);
    host.open("main");
    host.open_unrecorded();
    host.begin_turn("uv_run");
    let (_, finding) = host.begin("on_close");
    assert_eq!(
        finding,
        missing("on_close", Opener::Unrecorded, Some(turn(1, "uv_run"))),
        "`main` is not the innermost scope, though the record says so"
    );
}

#[test]
fn the_scope_around_native_code_that_javascript_calls_is_the_engines() {
    for readable in [ALL, LEVEL] {
        // A third scope is perhaps one that the native code opened without a guard.
        for (scopes, opener) in [
            (1, Opener::Engine(place("on_read"))),
            (2, Opener::Engine(place("on_read"))),
            (3, Opener::Unrecorded),
        ] {
            let mut host = Host::new(readable);
            host.open("main");
            host.begin_turn("uv_run");
            host.open("own");
            host.begin_silent("on_read");
            for _ in 0..scopes {
                host.open_unrecorded();
            }
            host.begin_turn("nested");
            let (_, finding) = host.begin("on_close");
            assert_eq!(
                finding,
                missing("on_close", opener, Some(turn(2, "nested")))
            );
        }
    }
}

#[test]
fn with_hooks_each_unrecorded_scope_in_a_callback_is_the_engines() {
    let mut stack = constructed(&[0x1000]);
    stack.begin_callback(place("on_read"), at_level(1));
    stack.begin_turn(place("nested"), at_level(5));
    let (_, finding) = stack.begin_callback(place("on_close"), at_level(5));
    let engine = Opener::Engine(place("on_read"));
    assert_eq!(
        finding,
        missing("on_close", engine, Some(turn(1, "nested")))
    );
}

#[test]
fn with_no_scope_at_all_nothing_is_the_opener() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        let uv_run = host.begin_turn("uv_run");
        let (id, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", Opener::Nothing, Some(turn(1, "uv_run")))
        );
        assert_eq!(host.end(id), []);
        assert_eq!(host.end_turn(uv_run), []);
    }
}

#[test]
fn a_scope_without_a_guard_counts_where_the_level_is_known() {
    for readable in [ALL, LEVEL] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        host.open_unrecorded();
        host.begin_silent("on_close");
    }
}

#[test]
fn a_scope_without_a_guard_does_not_count_where_the_level_is_unknown() {
    let mut host = Host::new(NOTHING);
    host.open("main");
    host.begin_turn("uv_run");
    host.open_unrecorded();
    host.begin_reported("on_close");
}

#[test]
fn with_no_turn_marked_only_a_callback_with_no_scope_at_all_is_reported() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        let (id, finding) = host.begin("on_close");
        assert_eq!(finding, missing("on_close", Opener::Nothing, None));
        assert_eq!(host.end(id), []);
        host.open("main");
        let callback = host.begin_silent("on_close");
        host.make(5);
        assert_eq!(host.end(callback), [], "nothing to measure growth by");
        assert!(!host.stack.wants_handles());
    }
}

#[test]
fn with_no_turn_marked_a_scope_without_a_guard_counts_where_the_level_is_known() {
    let mut host = Host::new(ALL);
    host.open_unrecorded();
    host.begin_silent("on_close");
}

#[test]
fn callback_inside_a_callback_is_silent_without_the_level() {
    for readable in [HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        let uv_run = host.begin_turn("uv_run");
        let outer = host.begin_reported("on_close");
        let inner = host.begin_silent("from_script");
        assert_eq!(host.end(inner), []);
        assert_eq!(host.end(outer), []);
        host.begin_reported("on_close");
        host.end_turn(uv_run);
    }
}

#[test]
fn callback_inside_a_callback_is_judged_by_the_level() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    host.begin_reported("on_close");
    host.open_unrecorded();
    let inner = host.begin_silent("from_script");
    assert_eq!(host.end(inner), []);
    host.close_unrecorded();
    host.begin_reported("with_nothing_opened_by_the_engine");
}

#[test]
fn a_scope_of_the_turn_around_does_not_count_for_a_turn_inside() {
    for readable in [ALL, LEVEL, HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        let request = host.open("request");
        let task = host.begin_turn("task");
        let (id, finding) = host.begin("on_close");
        assert_eq!(
            finding,
            missing("on_close", known(3, "request", 1), Some(turn(2, "task")))
        );
        assert_eq!(host.end(id), []);

        let scope = host.open("own");
        let callback = host.begin_silent("on_close");
        assert_eq!(host.end(callback), []);
        assert_eq!(host.close(scope), None);
        assert_eq!(host.end_turn(task), []);

        let callback = host.begin_silent("on_close");
        assert_eq!(host.end(callback), [], "back under `request`");
        assert_eq!(host.close(request), None);
        host.begin_reported("on_close");
    }
}

#[test]
fn a_callback_in_the_turn_around_does_not_count_for_a_turn_inside() {
    for readable in [HANDLES, NOTHING] {
        let mut host = Host::new(readable);
        host.open("main");
        host.begin_turn("uv_run");
        let outer = host.begin_reported("run_loop");
        let inner = host.begin_turn("nested_uv_run");
        let callback = host.begin_reported("on_close");
        assert_eq!(host.end(callback), []);
        assert_eq!(host.end_turn(inner), []);
        let from_script = host.begin_silent("from_script");
        host.end(from_script);
        host.end(outer);
        host.begin_reported("on_close");
    }
}
