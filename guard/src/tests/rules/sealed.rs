//! `sealed`: how a refused handle is reported.

use crate::describe::finding::Finding;
use crate::describe::opener::Opener;
use crate::describe::rules::sealed::Sealed;
use crate::tests::host::{ALL, Host, known, turn};

#[test]
fn a_refused_handle_names_its_turn_and_its_receiving_scope() {
    let mut host = Host::new(ALL);
    host.open("main");
    host.begin_turn("uv_run");
    let level = host.counts().level;
    assert_eq!(
        host.stack.refused(level),
        Finding::Sealed(Sealed {
            opener: known(1, "main", 1),
            turn: Some(turn(1, "uv_run")),
        })
    );
}

#[test]
fn a_handle_refused_for_lack_of_any_scope_names_no_turn() {
    let mut host = Host::new(ALL);
    host.begin_turn("uv_run");
    let level = host.counts().level;
    assert_eq!(
        host.stack.refused(level),
        Finding::Sealed(Sealed {
            opener: Opener::Nothing,
            turn: None,
        })
    );
}

#[test]
fn a_handle_of_a_reported_callback_is_added_to_its_report() {
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
