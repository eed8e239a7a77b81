//! When the record of an isolate begins and ends.

use crate::current;
use crate::interpose::isolates::has_isolate_hooks;
use crate::isolate::{LiveV8, V8};
use crate::{fatal_error, gc, seal, watch};
use handleguard::{Action, Engine, ForkMutex, IsolateId};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The isolates that have a [`Lifetime`].
static FOLLOWED_ANYWHERE: ForkMutex<BTreeSet<usize>> = ForkMutex::new();

/// How many isolates with a [`Lifetime`] have ended. Where it has not changed, the same address is the same isolate.
static ENDED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The isolate of the last [`follow`] on this thread, and the [`ENDED`] of that moment. Most calls find the same and return.
    static FOLLOWED: Cell<Option<(V8, usize)>> = const { Cell::new(None) };
}

/// Lies in a slot of the isolate. The v8 crate empties the slots while the isolate is still alive, on each of its ways to
/// dispose of one (`isolate.rs`, `prepare_annex_for_dispose`), on whichever thread that is.
struct Lifetime(V8);

impl Drop for Lifetime {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::Relaxed);
        FOLLOWED_ANYWHERE.with(|followed| followed.remove(&self.0.isolate().0));
        // SAFETY: the v8 crate empties the slots of an isolate while it is live, on the thread that disposes of it.
        let live = unsafe { LiveV8::from_raw(self.0.as_raw()) };
        seal::lift_all(live);
        watch::forget(live);
        handleguard::end_isolate(live);
    }
}

/// Has the record of `isolate` end with it: `never-closed` judges the scopes that are open then, and an isolate that
/// comes to lie at the same address has a new record.
#[inline]
pub(crate) fn follow(isolate: &mut v8::Isolate) -> LiveV8<'_> {
    if handleguard::COMPILED_IN {
        let now = Some((LiveV8::of(isolate).name(), ENDED.load(Ordering::Relaxed)));
        if FOLLOWED.get() != now {
            begin(isolate);
            FOLLOWED.set(now);
        }
    }
    LiveV8::of(isolate)
}

/// Returns the isolate that this thread has entered last. `None` if there is none, or if nobody would see it end, because no guard
/// and no hook has seen it yet.
///
/// Nothing is put into the isolate, as [`follow`] would: somebody may hold a reference into its slots.
pub(crate) fn current_followed<'a>() -> Option<LiveV8<'a>> {
    current::live().filter(|live| is_followed(live.name().isolate()))
}

/// As [`follow`], for the isolate that this thread has entered last, which is in nobody's hands here: for a test that begins.
#[cfg(feature = "testing")]
pub(crate) fn follow_current_for_test<'a>() -> Option<LiveV8<'a>> {
    let live = current::live()?;
    if !is_followed(live.name().isolate()) {
        // SAFETY: the isolate is live and this thread's, and the value owns nothing. Its slots may be written: the v8 crate gives out
        // references into them only with a borrow of the isolate, and the documentation of `testing` rules out that one is held.
        let mut isolate = unsafe { v8::Isolate::from_raw_ptr(live.as_raw().cast()) };
        follow(&mut isolate);
    }
    Some(live)
}

/// Whether the end of `isolate` will be seen.
pub(crate) fn is_followed(isolate: IsolateId) -> bool {
    has_isolate_hooks(isolate) || FOLLOWED_ANYWHERE.with(|followed| followed.contains(&isolate.0))
}

#[cold]
fn begin(isolate: &mut v8::Isolate) {
    if isolate.get_slot::<Lifetime>().is_none() {
        let name = LiveV8::of(isolate).name();
        isolate.set_slot(Lifetime(name));
        FOLLOWED_ANYWHERE.with(|followed| followed.insert(name.isolate().0));
        let live = LiveV8::of(isolate);
        if !has_isolate_hooks(name.isolate()) {
            gc::add_callbacks(live);
        }
        if handleguard::action_of_sealed() != Action::Off {
            fatal_error::report_before_v8_ends(live);
        }
    }
}
