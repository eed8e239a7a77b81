//! `wrong-thread`: what is reported.

use crate::describe::beginning::Beginning;
use crate::describe::finding::Finding;
use crate::describe::rules::wrong_thread::WrongThread;
use crate::detect::isolate::judge;
use crate::engine::entered::Entered;
use crate::engine::ids::IsolateId;
use crate::place::Place;

#[test]
fn a_thread_that_has_entered_no_isolate_is_reported() {
    let place = Place::here(None);
    assert_eq!(
        judge(IsolateId(1), Entered::None, Beginning::Turn, place),
        Some(Finding::WrongThread(WrongThread {
            beginning: Beginning::Turn,
            place
        }))
    );
}
