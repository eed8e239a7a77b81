//! The turns, scopes and callbacks that the host records, each by a beginning and an end.

use crate::isolate::{Isolate, registered};
use crate::place::{self, Place};
use crate::status::{Failure, Status, guarded};
use handleguard::EntryId;
use handleguard::{CallbackGuard, ScopeGuard, TurnGuard};
use std::ffi::c_void;
use std::ptr;

/// A turn that has begun. It owns nothing; ending one that is all zero does nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Private to handleguard.
    pub isolate: *mut c_void,
    /// Private to handleguard.
    pub number: u64,
}

/// A scope that is open. It owns nothing; ending one that is all zero does nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Private to handleguard.
    pub isolate: *mut c_void,
    /// Private to handleguard.
    pub number: u64,
}

/// A callback that is running. It owns nothing; ending one that is all zero does nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Callback {
    /// Private to handleguard.
    pub isolate: *mut c_void,
    /// Private to handleguard.
    pub number: u64,
}

/// The kind of a scope, named as in V8.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeKind {
    /// `v8::HandleScope`.
    Handle = 0,
    /// `v8::EscapableHandleScope`.
    Escapable = 1,
    /// Stands for the scope that the engine opened around a callback.
    Callback = 2,
    /// `v8::TryCatch`, which holds no handles.
    TryCatch = 3,
}

/// Begins a turn of the host's loop: one pass of the event loop, one request, one task. A scope opened before the turn does not
/// protect a callback that runs in it. Turns nest.
///
/// # Safety
///
/// `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `turn` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_turn_begin(
    isolate: *mut c_void,
    place: *mut Place,
    turn: *mut Turn,
) -> Status {
    let empty = Turn {
        isolate: ptr::null_mut(),
        number: 0,
    };
    // SAFETY: `place` and the token are null or valid: required by this fn.
    unsafe {
        begin(
            "handleguard_turn_begin",
            isolate,
            place,
            (turn, "turn"),
            empty,
            |engine, place| {
                let number = number(handleguard::turn_at(engine, place).detach());
                Ok(Turn { isolate, number })
            },
        )
    }
}

/// Ends a turn. Checks `outer-growth` and `never-closed`.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_turn_end(turn: Turn) -> Status {
    end(
        "handleguard_turn_end",
        turn.isolate,
        turn.number,
        |engine, id| {
            drop(TurnGuard::attach(engine, id));
        },
    )
}

/// Records a scope. Call this right after the scope was opened. `kind` is a `handleguard_scope_kind`.
///
/// # Safety
///
/// `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `scope` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_scope_begin(
    isolate: *mut c_void,
    // Not the enum: any other number than its values would be undefined behaviour in Rust.
    kind: i32,
    place: *mut Place,
    scope: *mut Scope,
) -> Status {
    use handleguard::finding::ScopeKind as Kind;
    let empty = Scope {
        isolate: ptr::null_mut(),
        number: 0,
    };
    // SAFETY: `place` and the token are null or valid: required by this fn.
    unsafe {
        begin(
            "handleguard_scope_begin",
            isolate,
            place,
            (scope, "scope"),
            empty,
            |engine, place| {
                let kind = match kind {
                    0 => Kind::HandleScope,
                    1 => Kind::EscapableHandleScope,
                    2 => Kind::CallbackScope,
                    3 => Kind::TryCatch,
                    other => {
                        return Err(Failure::new(
                            Status::Argument,
                            format_args!(
                                "`kind` is {other}; accepted: a handleguard_scope_kind, 0 to 3"
                            ),
                        ));
                    }
                };
                let number = number(handleguard::scope_at(engine, kind, place).detach());
                Ok(Scope { isolate, number })
            },
        )
    }
}

/// Ends the record of a scope. Call this right before the scope closes. Checks `out-of-order`.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_scope_end(scope: Scope) -> Status {
    end(
        "handleguard_scope_end",
        scope.isolate,
        scope.number,
        |engine, id| {
            drop(ScopeGuard::attach(engine, id));
        },
    )
}

/// Records that the host is about to call into JavaScript. Checks `missing-scope` at once.
///
/// # Safety
///
/// `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `callback` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_callback_begin(
    isolate: *mut c_void,
    place: *mut Place,
    callback: *mut Callback,
) -> Status {
    // SAFETY: `place` and the token are null or valid: required by this fn.
    unsafe {
        begin_callback(
            "handleguard_callback_begin",
            isolate,
            place,
            callback,
            |engine, place| handleguard::callback_at(engine, place, || None),
        )
    }
}

/// Records that the host is about to let the engine run its microtasks, as by `v8::Isolate::PerformMicrotaskCheckpoint`. This
/// needs no scope around it, because the engine opens one for the microtasks: `missing-scope` is not checked.
/// `handleguard_callback_end` ends it.
///
/// # Safety
///
/// `place` is null, or as `HANDLEGUARD_PLACE` makes it and in static storage; `callback` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_checkpoint_begin(
    isolate: *mut c_void,
    place: *mut Place,
    callback: *mut Callback,
) -> Status {
    // SAFETY: `place` and the token are null or valid: required by this fn.
    unsafe {
        begin_callback(
            "handleguard_checkpoint_begin",
            isolate,
            place,
            callback,
            handleguard::checkpoint_at,
        )
    }
}

/// Records that the call has returned. Checks `outer-growth`.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_callback_end(callback: Callback) -> Status {
    end(
        "handleguard_callback_end",
        callback.isolate,
        callback.number,
        |engine, id| {
            drop(CallbackGuard::attach(engine, id));
        },
    )
}

/// # Safety
///
/// As [`begin`].
unsafe fn begin_callback(
    function: &str,
    isolate: *mut c_void,
    place: *mut Place,
    callback: *mut Callback,
    open: impl FnOnce(Isolate, handleguard::Place) -> CallbackGuard<Isolate>,
) -> Status {
    let empty = Callback {
        isolate: ptr::null_mut(),
        number: 0,
    };
    let body = |engine, place| {
        let number = number(open(engine, place).detach());
        Ok(Callback { isolate, number })
    };
    // SAFETY: `place` and the token are null or valid: required by this fn.
    unsafe {
        begin(
            function,
            isolate,
            place,
            (callback, "callback"),
            empty,
            body,
        )
    }
}

fn number(id: Option<EntryId>) -> u64 {
    id.map_or(0, EntryId::get)
}

/// # Safety
///
/// `place` is null, or as [`place::interned`] requires; `out` is null or may be written.
unsafe fn begin<T>(
    function: &str,
    isolate: *mut c_void,
    place: *mut Place,
    (out, name): (*mut T, &str),
    empty: T,
    body: impl FnOnce(Isolate, handleguard::Place) -> Result<T, Failure>,
) -> Status {
    guarded(function, || {
        // The caller could not end an entry that it has no token of.
        if out.is_null() {
            return Err(Failure::null(name));
        }
        // Written first, so that ending the token after an error does nothing.
        // SAFETY: not null, so it may be written: required by this fn.
        unsafe { out.write(empty) };
        let engine = registered(isolate)?;
        if place.is_null() {
            return Err(Failure::null("place"));
        }
        // SAFETY: not null, so valid as `interned` requires: required by this fn.
        let place = unsafe { place::interned(place) };
        let token = body(engine, *place)?;
        // SAFETY: not null, so it may be written: required by this fn.
        unsafe { out.write(token) };
        Ok(())
    })
}

fn end(
    function: &str,
    isolate: *mut c_void,
    number: u64,
    body: impl FnOnce(Isolate, EntryId),
) -> Status {
    guarded(function, || {
        if isolate.is_null() || number == 0 {
            return Ok(());
        }
        let engine = registered(isolate)?;
        let id = EntryId::from_number(number);
        let open = handleguard::is_open(engine, id);
        body(engine, id);
        if open {
            return Ok(());
        }
        Err(Failure::new(
            Status::NotOpen,
            format_args!(
                "#{number} of isolate {isolate:p} is not open on this thread: it has already ended, an entry around it has ended, \
                 or it began on another thread"
            ),
        ))
    })
}
