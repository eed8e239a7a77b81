//! The subscriber of the thread that violated a rule, kept so that another thread can log to it.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use tracing::dispatcher::{self, Dispatch, WeakDispatch};
use tracing::subscriber::NoSubscriber;
use tracing::{Span, span};

/// A subscriber to `tracing`, and the span that was entered.
///
/// A subscriber may be set for one thread only (`tracing::subscriber::with_default`). Such a one gets the violations of its own
/// thread, and hides none of another thread.
pub(crate) struct Subscriber {
    /// `None` if the thread has no subscriber: reports go to stderr.
    dispatch: Option<Dispatch>,
    span: Span,
}

impl Subscriber {
    /// The subscriber of this thread.
    pub(crate) fn current() -> Self {
        let dispatch = dispatcher::get_default(|dispatch| {
            (!dispatch.is::<NoSubscriber>()).then(|| dispatch.clone())
        });
        let span = if dispatch.is_some() {
            Span::current()
        } else {
            Span::none()
        };
        Self { dispatch, span }
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        self.dispatch.is_some()
    }

    /// Keeps it without keeping it alive.
    pub(crate) fn downgrade(&self) -> Option<LastSubscriber> {
        Some(LastSubscriber(self.dispatch.as_ref()?.downgrade()))
    }

    /// Runs `event`, which makes an event in the span that it is passed, for this subscriber.
    ///
    /// # Errors
    ///
    /// Returns why the event is lost: there is no subscriber, or it panicked.
    pub(crate) fn receive(&self, event: impl FnOnce(Option<span::Id>)) -> Result<(), Lost> {
        let dispatch = self.dispatch.as_ref().ok_or(Lost::NoSubscriber)?;
        let run = || dispatcher::with_default(dispatch, || event(self.span.id()));
        panic::catch_unwind(AssertUnwindSafe(run)).map_err(|_| Lost::Panicked)
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").finish_non_exhaustive()
    }
}

/// A subscriber that may have gone.
pub(crate) struct LastSubscriber(WeakDispatch);

impl LastSubscriber {
    /// The subscriber, outside any span, if somebody still has it.
    pub(crate) fn upgrade(&self) -> Option<Subscriber> {
        Some(Subscriber {
            dispatch: Some(self.0.upgrade()?),
            span: Span::none(),
        })
    }
}

/// Why a subscriber did not receive an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lost {
    NoSubscriber,
    /// It panicked. The panic ends here.
    Panicked,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn another_thread_logs_to_the_subscriber_and_in_the_span_of_the_first() {
        let out = Out::default();
        let writer = out.clone();
        let fmt = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        let kept = with_default(fmt, || {
            let span = tracing::info_span!("request", id = 7);
            let _entered = span.enter();
            Subscriber::current()
        });
        let lost = std::thread::spawn(move || {
            kept.receive(|parent| tracing::info!(target: "t", parent: parent, "hello"))
        });
        assert_eq!(lost.join().unwrap(), Ok(()));
        let out = out.0.lock().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&out),
            " INFO request{id=7}: t: hello\n"
        );
    }

    #[test]
    fn a_thread_without_a_subscriber_has_none() {
        with_default(NoSubscriber::new(), || {
            let lost = Subscriber::current().receive(|_| unreachable!());
            assert_eq!(lost, Err(Lost::NoSubscriber));
        });
    }

    #[test]
    fn a_subscriber_that_panics_ends_nothing() {
        let kept = with_default(tracing_subscriber::fmt().finish(), Subscriber::current);
        assert_eq!(kept.receive(|_| panic!("full disk")), Err(Lost::Panicked));
    }
}
