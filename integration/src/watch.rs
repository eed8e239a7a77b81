use crate::engine::{LiveV8, V8};
use crate::{gc, seal};
use handleguard::Action;
use handleguard::{Engine, LiveIsolate};
use std::cell::Cell;

thread_local! {
    /// The isolate that was looked at last on this thread and has its [`Watch`]: a scope of the same isolate asks no
    /// further.
    static WATCHED: Cell<Option<V8>> = const { Cell::new(None) };
}

/// Lives in a slot of the isolate, which the v8 crate empties while the isolate is still alive, on its way to
/// `Isolate::Dispose` (`isolate.rs`, `prepare_annex_for_dispose`).
struct Watch(V8);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = WATCHED.try_with(|watched| watched.set(None));
        // SAFETY: the v8 crate empties the slots of an isolate while it is live, on the thread that disposes of it.
        handleguard::end_isolate(unsafe { self.0.live() });
    }
}

/// Has the record of `isolate` end with it: scopes still open then are reported as `never-closed`, and an isolate that
/// comes to lie at the same address starts afresh.
#[inline]
pub(crate) fn watch(isolate: &mut v8::Isolate) -> LiveV8<'_> {
    let engine = LiveV8::of(isolate).engine();
    if handleguard::COMPILED_IN {
        let _ = WATCHED.try_with(|watched| {
            if watched.get() != Some(engine) {
                keep(isolate, engine);
                watched.set(Some(engine));
            }
        });
    }
    LiveV8::of(isolate)
}

#[cold]
fn keep(isolate: &mut v8::Isolate, engine: V8) {
    if isolate.get_slot::<Watch>().is_none() {
        isolate.set_slot(Watch(engine));
        if !has_isolate_hooks(engine) {
            gc::listen(isolate);
        }
        if handleguard::action_of_sealed() != Action::Off {
            // SAFETY: of a live isolate that this thread has in its hands.
            unsafe { seal::report_before_v8_ends(engine.as_raw()) };
        }
    }
}

#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use crate::interpose::has_isolate_hooks;

/// Whether a hook has seen it made, and sees it go.
#[cfg(not(all(feature = "interpose", target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn has_isolate_hooks(_: V8) -> bool {
    false
}
