//! `wrong-isolate`: what is reported, and what stays silent. `wrong_thread` is its neighbour: no isolate is entered there.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::wrong_isolate::WrongIsolate;
use crate::describe::scope::ScopeKind;
use crate::detect::isolate::judge;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::place::Place;

const SCOPE: Beginning = Beginning::Scope(ScopeKind::HandleScope);

#[test]
fn an_isolate_that_is_entered_is_silent() {
    let place = Place::here(None);
    for entered in [Entered::Unknown, Entered::Isolate(IsolateId(1))] {
        assert_eq!(judge(IsolateId(1), entered, SCOPE, place), None);
    }
}

#[test]
fn another_isolate_that_is_entered_is_named() {
    let place = Place::here(None);
    let entered = IsolateId(2);
    assert_eq!(
        judge(IsolateId(1), Entered::Isolate(entered), SCOPE, place),
        Some(Finding::WrongIsolate(WrongIsolate {
            beginning: SCOPE,
            place,
            entered
        }))
    );
}
