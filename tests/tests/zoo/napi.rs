//! Handle scopes as a C interface has them, by token, after Node-API: nothing but the caller's care closes them.

#[cfg(not(feature = "plain"))]
use handleguard_v8::handleguard::{ScopeGuard, finding::ScopeKind};
use std::ffi::c_void;

/// `napi_handle_scope`.
pub type Token = *mut Scope;

/// Room for a C++ `v8::HandleScope`, as in `integration/src/ffi.rs`.
type Storage = [usize; 4];

/// One open scope.
pub struct Scope {
    storage: Storage,
    #[cfg(not(feature = "plain"))]
    guard: ScopeGuard<handleguard_v8::V8>,
}

unsafe extern "C" {
    fn v8__HandleScope__CONSTRUCT(storage: *mut Storage, isolate: *mut c_void);
    fn v8__HandleScope__DESTRUCT(storage: *mut Storage);
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
        v8__HandleScope__CONSTRUCT(&raw mut (*token).storage, address(isolate));
        #[cfg(not(feature = "plain"))]
        (&raw mut (*token).guard).write(guard(isolate));
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

/// `napi_close_handle_scope`.
pub fn close(token: Token) {
    crate::counter::close();
    // SAFETY: from `open`, and closed once.
    unsafe {
        let mut scope = Box::from_raw(token);
        #[cfg(not(feature = "plain"))]
        drop(scope.guard);
        v8__HandleScope__DESTRUCT(&raw mut scope.storage);
    }
}

/// A second token of the same scope: the bugs close both.
pub fn copy(token: Token) -> Token {
    // SAFETY: from `open`, and not closed yet. What is closed twice then is V8's scope and handleguard's record, as in C++; the
    // box is one more.
    unsafe { Box::into_raw(Box::new(std::ptr::read(token))) }
}

/// Closes V8's scope, and not the one that the record has.
pub fn close_unseen(token: Token) {
    crate::counter::close();
    // SAFETY: from `open`, and closed once; the record is left behind.
    unsafe { v8__HandleScope__DESTRUCT(&raw mut (*token).storage) };
}
