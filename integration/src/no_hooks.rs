//! Stands for `interpose` in a build without hooks.

pub(crate) mod real {
    pub(crate) use crate::ffi::{
        v8__HandleScope__CONSTRUCT as construct_unhooked,
        v8__HandleScope__DESTRUCT as destruct_unhooked,
    };
}

pub(crate) mod isolates {
    use handleguard::IsolateId;

    /// No hook saw the isolate made, and none sees it go.
    pub(crate) fn has_isolate_hooks(_: IsolateId) -> bool {
        false
    }
}

pub(crate) mod blocks {
    use crate::isolate::LiveV8;

    /// No hook sees a block begin.
    pub(crate) fn find_size(_: LiveV8<'_>) {}
}

pub(crate) mod proof {
    /// Why there are no hooks, for the start-up line.
    pub(crate) fn capabilities() -> Result<String, String> {
        const SEEN: &str = "only what uses handleguard's own macros and calls is named; V8's level covers the rest";
        Err(match cfg!(feature = "interpose") {
            true => format!("there are some for x86-64 Linux, and none here; {SEEN}"),
            false => SEEN.to_owned(),
        })
    }

    /// No hook sees persistent handles.
    pub(crate) fn sees_persistent_handles() -> bool {
        false
    }

    /// No hook runs before V8 refuses a handle.
    pub(crate) fn sees_refused_handles() -> bool {
        false
    }
}
