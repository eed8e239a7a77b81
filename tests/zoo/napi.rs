//! Scopes by token, like the handle scopes of Node-API: the caller must close them.

#[cfg(not(feature = "plain"))]
use handleguard_v8::handleguard::{ScopeGuard, finding::ScopeKind};
use std::ffi::c_void;

/// `napi_handle_scope`.
pub type Token = *mut Scope;

/// Room for a C++ `v8::HandleScope`, as in `integration/src/ffi.rs`, or for a `v8::TryCatch` (`v8-exception.h`).
type Storage = [usize; 6];

/// One scope.
pub struct Scope {
    storage: Storage,
    is_try_catch: bool,
    #[cfg(not(feature = "plain"))]
    guard: ScopeGuard<handleguard_v8::V8>,
}

unsafe extern "C" {
    fn v8__HandleScope__CONSTRUCT(storage: *mut Storage, isolate: *mut c_void);
    fn v8__HandleScope__DESTRUCT(storage: *mut Storage);
    fn v8__TryCatch__CONSTRUCT(storage: *mut Storage, isolate: *mut c_void);
    fn v8__TryCatch__DESTRUCT(storage: *mut Storage);
}

fn address(isolate: &v8::Isolate) -> *mut c_void {
    // SAFETY: `UnsafeRawIsolatePtr` is a transparent wrapper of the isolate's address (`isolate.rs`).
    unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) }
}

#[cfg(not(feature = "plain"))]
#[track_caller]
fn guard(isolate: &mut v8::Isolate) -> ScopeGuard<handleguard_v8::V8> {
    handleguard_v8::scope_guard(isolate, ScopeKind::HandleScope, "napi_open_handle_scope")
}

/// `napi_open_handle_scope`.
#[track_caller]
pub fn open(isolate: &mut v8::Isolate) -> Token {
    crate::counter::open();
    let mut scope: Box<std::mem::MaybeUninit<Scope>> = Box::new_uninit();
    let token = scope.as_mut_ptr();
    // SAFETY: the isolate is live and this thread's; the box has room for a `HandleScope`, and stays where it is.
    unsafe {
        (&raw mut (*token).is_try_catch).write(false);
        v8__HandleScope__CONSTRUCT(&raw mut (*token).storage, address(isolate));
        #[cfg(not(feature = "plain"))]
        (&raw mut (*token).guard).write(guard(isolate));
    }
    Box::leak(scope);
    token
}

/// Opens a `TryCatch` in the same way.
#[track_caller]
pub fn open_try_catch(isolate: &mut v8::Isolate) -> Token {
    let mut scope: Box<std::mem::MaybeUninit<Scope>> = Box::new_uninit();
    let token = scope.as_mut_ptr();
    // SAFETY: as in `open`.
    unsafe {
        (&raw mut (*token).is_try_catch).write(true);
        v8__TryCatch__CONSTRUCT(&raw mut (*token).storage, address(isolate));
        #[cfg(not(feature = "plain"))]
        (&raw mut (*token).guard).write(handleguard_v8::scope_guard(
            isolate,
            ScopeKind::TryCatch,
            "TryCatch",
        ));
    }
    Box::leak(scope);
    token
}

/// Opens a scope in the storage of one that is open already, which is what the bug is about.
#[track_caller]
pub fn open_again(token: Token, isolate: &mut v8::Isolate) {
    crate::counter::open();
    // SAFETY: as in `open`; nobody closes the first one any more, as nobody would in C++.
    unsafe {
        v8__HandleScope__CONSTRUCT(&raw mut (*token).storage, address(isolate));
        #[cfg(not(feature = "plain"))]
        (&raw mut (*token).guard).write(guard(isolate));
    }
}

/// `napi_close_handle_scope`. The storage is not freed: some of the bugs close it again.
pub fn close(token: Token) {
    // SAFETY: from `open`. Closed a second time, V8 restores the same state again, and the guard's copy names a scope that is not
    // open any more: as in C++, that is the bug.
    #[cfg(not(feature = "plain"))]
    drop(unsafe { (&raw const (*token).guard).read() });
    close_unseen(token);
}

/// Closes V8's scope, and not the one that the record has.
pub fn close_unseen(token: Token) {
    // SAFETY: from `open` or `open_try_catch`, and its storage is never freed.
    unsafe {
        if (*token).is_try_catch {
            v8__TryCatch__DESTRUCT(&raw mut (*token).storage);
        } else {
            crate::counter::close();
            v8__HandleScope__DESTRUCT(&raw mut (*token).storage);
        }
    }
}
