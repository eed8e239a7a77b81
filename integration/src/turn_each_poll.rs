//! Turns of asynchronous code: each poll of a future is one.

use crate::guards::current_turn_at;
use handleguard::Place;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future each poll of which is a turn. Made by [`turn_each_poll`].
#[must_use = "futures do nothing unless polled"]
#[derive(Clone, Debug)]
pub struct TurnEachPoll<F> {
    future: F,
    place: Place,
}

/// Marks each poll of `future` as a turn of the isolate that the polling thread has entered last. A task that serves a request, or
/// drives a runtime, runs from one `.await` to the next in one poll, and no turn may be open across an `.await`, where other tasks
/// run.
///
/// Where the thread has entered no isolate, the poll marks no turn, as [`turn!`](crate::turn) does not.
///
/// ```
/// # let _v8 = handleguard_v8::__doctest::setup();
/// # async fn read() {}
/// # let isolate = &mut v8::Isolate::new(Default::default());
/// # fn block_on(future: impl Future) {
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     assert!(std::pin::pin!(future).poll(&mut context).is_ready());
/// # }
/// use handleguard_v8::{scope, turn_each_poll};
///
/// let request = turn_each_poll(
///     async {
///         read().await;
///         scope!(let scope, isolate);
///         // ... call into JavaScript
/// #       let _ = scope;
///     },
///     "request",
/// );
/// block_on(request);
/// ```
#[track_caller]
pub fn turn_each_poll<F: Future>(
    future: F,
    name: impl Into<Option<&'static str>>,
) -> TurnEachPoll<F> {
    TurnEachPoll {
        future,
        place: Place::here(name),
    }
}

impl<F: Future> Future for TurnEachPoll<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _turn = current_turn_at(self.place);
        // SAFETY: `future` is pinned as its owner is: nothing moves it out of there, and `TurnEachPoll` has neither `Drop` nor an
        // `Unpin` of its own.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        future.poll(context)
    }
}
