//! The isolates that the host has registered, and the functions that read them.

use crate::status::{Failure, Status, guarded};
use handleguard::{
    Capabilities, Engine, Entered, FrameClassifier, IsolateId, LiveIsolate, Wording,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many isolates may be registered at a time.
const MAX_ISOLATES: usize = 4096;

/// Reads one number of an isolate; negative if it is unknown. Must neither throw nor call handleguard.
pub(crate) type Count = unsafe extern "C" fn(isolate: *mut c_void) -> i64;

/// Functions that read an isolate. Each may be null: handleguard then relies on the entries that the host records. None of them may
/// throw, or call handleguard.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// `sizeof(handleguard_reader)`: later versions may add fields at the end.
    pub size: usize,
    /// Returns how many handle scopes are open in the isolate, as the engine counts them; negative if that is unknown.
    pub level: Option<unsafe extern "C" fn(isolate: *mut c_void) -> i64>,
    /// Returns how many handles are alive in all scopes of the isolate together, as `v8::HandleScope::NumberOfHandles` does;
    /// negative if that is unknown. Without it, `outer-growth` and `scope-budget` report nothing.
    pub handles: Option<unsafe extern "C" fn(isolate: *mut c_void) -> i64>,
    /// Returns the isolate that this thread has entered, as `v8::Isolate::TryGetCurrent` does; null if it has entered none. Without
    /// it, `wrong-thread` and `wrong-isolate` report nothing.
    pub current: Option<unsafe extern "C" fn() -> *mut c_void>,
}

/// A registered isolate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isolate {
    address: usize,
    level: Option<Count>,
    handles: Option<Count>,
    current: Option<unsafe extern "C" fn() -> *mut c_void>,
}

static ISOLATES: Mutex<Option<HashMap<usize, Isolate>>> = Mutex::new(None);

/// Counts the changes of `ISOLATES`, so that a thread notices when its `LAST` is out of date.
static CHANGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The isolate that this thread used last, and the value of `CHANGES` at its look-up.
    static LAST: Cell<Option<(u64, Isolate)>> = const { Cell::new(None) };
}

/// Looks up the isolate at `address`.
#[inline]
pub(crate) fn registered(address: *mut c_void) -> Result<Isolate, Failure> {
    // Acquire: pairs with the Release of each change, so a change made by another thread before this call is not missed.
    let changes = CHANGES.load(Ordering::Acquire);
    match LAST.try_with(Cell::get) {
        Ok(Some((then, isolate))) if then == changes && isolate.address == address.addr() => {
            Ok(isolate)
        }
        _ => look_up(address, changes),
    }
}

#[cold]
fn look_up(address: *mut c_void, changes: u64) -> Result<Isolate, Failure> {
    if address.is_null() {
        return Err(Failure::null("isolate"));
    }
    let isolates = ISOLATES.lock().unwrap_or_else(PoisonError::into_inner);
    let isolate = isolates
        .as_ref()
        .and_then(|isolates| isolates.get(&address.addr()))
        .copied();
    drop(isolates);
    let Some(isolate) = isolate else {
        return Err(unregistered(address));
    };
    let _ = LAST.try_with(|last| last.set(Some((changes, isolate))));
    Ok(isolate)
}

/// Also prints the failure once: few hosts look at the status of a turn, and none of their scopes would be checked.
fn unregistered(address: *mut c_void) -> Failure {
    static PRINTED: AtomicBool = AtomicBool::new(false);
    let failure = format!(
        "isolate {address:p} is not registered, so its scopes are not checked; call handleguard_isolate_register first"
    );
    if !PRINTED.swap(true, Ordering::Relaxed) {
        handleguard::warn(&failure);
    }
    Failure::new(Status::Unregistered, failure)
}

/// Registers an isolate by its address, with the functions that read it, or without any if `reader` is null. Registering an isolate
/// again replaces its functions.
///
/// # Safety
///
/// `reader` is null or points to as many bytes as its `size` says. Its functions may be called with `isolate` until
/// `handleguard_isolate_end`, on every thread that begins or ends an entry of that isolate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_isolate_register(
    isolate: *mut c_void,
    reader: *const Reader,
) -> Status {
    guarded("handleguard_isolate_register", || {
        if isolate.is_null() {
            return Err(Failure::null("isolate"));
        }
        let new = if reader.is_null() {
            Isolate::unread(isolate)
        } else {
            // SAFETY: not null, so it points to as many bytes as its `size` says: required by this fn.
            unsafe { Isolate::read_by(isolate, reader)? }
        };
        let mut isolates = ISOLATES.lock().unwrap_or_else(PoisonError::into_inner);
        let isolates = isolates.get_or_insert_default();
        if isolates.len() >= MAX_ISOLATES && !isolates.contains_key(&new.address) {
            return Err(Failure::new(
                Status::Argument,
                format_args!(
                    "{MAX_ISOLATES} isolates are registered already; call handleguard_isolate_end for each before it is disposed"
                ),
            ));
        }
        isolates.insert(new.address, new);
        CHANGES.fetch_add(1, Ordering::Release);
        Ok(())
    })
}

/// Ends the record of an isolate, and checks `never-closed` for each entry that is still open in it. Call this right before the
/// isolate is disposed, on its thread.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_isolate_end(isolate: *mut c_void) -> Status {
    guarded("handleguard_isolate_end", || {
        let registered = registered(isolate)?;
        handleguard::end_isolate(registered);
        let mut isolates = ISOLATES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(isolates) = &mut *isolates {
            isolates.remove(&registered.address);
        }
        CHANGES.fetch_add(1, Ordering::Release);
        Ok(())
    })
}

impl Isolate {
    fn unread(isolate: *mut c_void) -> Self {
        Self {
            address: isolate.expose_provenance(),
            level: None,
            handles: None,
            current: None,
        }
    }

    /// # Safety
    ///
    /// `reader` points to as many bytes as its `size` says.
    unsafe fn read_by(isolate: *mut c_void, reader: *const Reader) -> Result<Self, Failure> {
        // SAFETY: a reader of any version begins with its size, and points to that many bytes: required by this fn.
        let size = unsafe { (*reader).size };
        if size < size_of::<usize>() {
            return Err(Failure::new(
                Status::Argument,
                format_args!(
                    "`reader->size` is {size}; accepted: sizeof(handleguard_reader), which is {} here",
                    size_of::<Reader>()
                ),
            ));
        }
        let mut known = Reader {
            size: 0,
            level: None,
            handles: None,
            current: None,
        };
        let has = |offset: usize| size >= offset + size_of::<usize>();
        // SAFETY: each field is read only if it lies within the size.
        unsafe {
            if has(offset_of!(Reader, level)) {
                known.level = (*reader).level;
            }
            if has(offset_of!(Reader, handles)) {
                known.handles = (*reader).handles;
            }
            if has(offset_of!(Reader, current)) {
                known.current = (*reader).current;
            }
        }
        Ok(Self {
            level: known.level,
            handles: known.handles,
            current: known.current,
            ..Self::unread(isolate)
        })
    }

    pub(crate) fn address(self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.address)
    }

    fn count(self, count: Option<Count>) -> Option<i64> {
        // SAFETY: the function may be called with this isolate as long as that is registered: required by
        // `handleguard_isolate_register`. `registered` found it in the table.
        let count = unsafe { count?(self.address()) };
        (count >= 0).then_some(count)
    }
}

impl Engine for Isolate {
    const WORDING: &'static Wording = &Wording {
        open_scope: "v8::HandleScope scope(isolate);",
        mark_turn: "HANDLEGUARD_TURN(isolate, \"event loop\");",
        enter_isolate: "v8::Isolate::Scope isolate_scope(isolate);",
        // `handleguard-v8` has the same symbols. This crate cannot use them: it would link V8, and the core names no engine.
        classifier: &FrameClassifier {
            name: "V8",
            file: Some(file!()),
            own_paths: &["handleguard_c::"],
            engine_crate: None,
            engine_symbols: &["Builtins_", "v8::"],
            script_symbols: &[
                "Builtins_InterpreterEntryTrampoline",
                "Builtins_InterpreterPushArgsThenFastConstructFunction",
                "Builtins_BaselineOutOfLinePrologue",
            ],
            internal_symbols: &["Builtins_", "v8::internal::"],
            // JavaScript calls a function that was made from native code. V8 calls other native code by its runtime functions:
            // hooks of promises, `import.meta`, `import()`.
            native_call_symbols: &[
                "Builtins_CallApiCallback",
                "Builtins_HandleApiCall",
                "v8::internal::Builtin_HandleApiCall",
                "v8::internal::Builtins::InvokeApiFunction",
                "v8::internal::(anonymous namespace)::HandleApiCallHelper",
                "v8::internal::FunctionCallbackArguments::",
            ],
        },
    };

    // The caller of this interface is C or C++.
    const UNWINDS: bool = false;

    const ENDS_PROCESS: bool = true;

    type Live<'a> = Self;

    fn isolate(self) -> IsolateId {
        IsolateId(self.address)
    }

    // An isolate stays registered until `handleguard_isolate_end`, and may be read until then.
    unsafe fn live<'a>(self) -> Self::Live<'a> {
        self
    }

    fn entered(self) -> Entered {
        let Some(current) = self.current else {
            return Entered::Unknown;
        };
        // SAFETY: it may be called as long as the isolate is registered: required by `handleguard_isolate_register`.
        let current = unsafe { current() };
        if current.is_null() {
            Entered::None
        } else {
            Entered::Isolate(IsolateId(current.addr()))
        }
    }
}

impl LiveIsolate for Isolate {
    type Engine = Self;

    fn engine(self) -> Self {
        self
    }

    fn level(self) -> Option<u32> {
        u32::try_from(self.count(self.level)?).ok()
    }

    fn handles(self) -> Option<u64> {
        u64::try_from(self.count(self.handles)?).ok()
    }

    fn capabilities(self) -> Capabilities {
        let by_host = |function: bool| match function {
            true => Ok("as the host reads it".to_owned()),
            false => Err("the host has registered no function that reads it".to_owned()),
        };
        Capabilities {
            level: by_host(self.level.is_some()),
            handles: by_host(self.handles.is_some()),
            hooks: Err("only scopes and calls recorded through handleguard.h are seen".to_owned()),
        }
    }
}
