//! The isolates that the host has registered, and how each is read.

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

/// Isolates registered at a time.
const MAX_ISOLATES: usize = 4096;

/// Reads one number of an isolate; negative where it cannot. Must not throw, and not call handleguard.
pub(crate) type Count = unsafe extern "C" fn(isolate: *mut c_void) -> i64;

/// How an isolate is read. Each function may be null: then what it would tell is unknown, and the verdict is left to what the
/// host has told. None of them may throw, or call handleguard.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// `sizeof(handleguard_reader)`: later versions may add to its end.
    pub size: usize,
    /// Handle scopes open in the isolate, as the engine counts them; negative where it cannot tell.
    pub level: Option<unsafe extern "C" fn(isolate: *mut c_void) -> i64>,
    /// Handles alive in all scopes of the isolate together, as `v8::HandleScope::NumberOfHandles`; negative where it cannot
    /// tell. Without it, `outer-growth` and `scope-budget` see nothing.
    pub handles: Option<unsafe extern "C" fn(isolate: *mut c_void) -> i64>,
    /// The isolate that this thread has entered, as `v8::Isolate::TryGetCurrent`; null where it has entered none. Without it,
    /// `wrong-thread` and `wrong-isolate` see nothing.
    pub current: Option<unsafe extern "C" fn() -> *mut c_void>,
}

/// An isolate that is registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isolate {
    address: usize,
    level: Option<Count>,
    handles: Option<Count>,
    current: Option<unsafe extern "C" fn() -> *mut c_void>,
}

static ISOLATES: Mutex<Option<HashMap<usize, Isolate>>> = Mutex::new(None);

/// Changes of `ISOLATES`, so that what a thread remembers can be known to be old.
static CHANGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The isolate that this thread used last, and the number of changes at which it was looked up.
    static LAST: Cell<Option<(u64, Isolate)>> = const { Cell::new(None) };
}

/// The isolate at that address.
#[inline]
pub(crate) fn registered(address: *mut c_void) -> Result<Isolate, Failure> {
    // Acquire: a change that another thread has told this one of is seen.
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

/// Said once by itself too: who begins a turn seldom looks at what that returns, and would be left blind.
fn unregistered(address: *mut c_void) -> Failure {
    static SAID: AtomicBool = AtomicBool::new(false);
    let failure = format!(
        "isolate {address:p} is not registered, so nothing of it is seen; call handleguard_isolate_register first"
    );
    if !SAID.swap(true, Ordering::Relaxed) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "handleguard: {failure}");
    }
    Failure::new(Status::Unregistered, failure)
}

/// Makes an isolate known by its address, with the functions that read it; with none, where `reader` is null. Again for the
/// same isolate, it changes these.
///
/// # Safety
///
/// `reader` is null or points at as many bytes as its `size` says. Its functions may be called with `isolate` until
/// `handleguard_isolate_end`, on threads that begin or end something of that isolate.
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
            // SAFETY: not null, and the caller's promise.
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

/// Ends the record of an isolate: what is still open in it is judged by `never-closed`. Call it just before the isolate is
/// disposed, on its thread.
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
    /// `reader` points at as many bytes as its `size` says.
    unsafe fn read_by(isolate: *mut c_void, reader: *const Reader) -> Result<Self, Failure> {
        // SAFETY: the caller's promise: a reader of any version begins with its size.
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
        // SAFETY: a function for this isolate, which is still registered: `handleguard_isolate_register` asks for it.
        let count = unsafe { count?(self.address()) };
        (count >= 0).then_some(count)
    }
}

impl Engine for Isolate {
    const WORDING: &'static Wording = &Wording {
        open_scope: "v8::HandleScope scope(isolate);",
        mark_turn: "HANDLEGUARD_TURN(isolate, \"event loop\");",
        enter_isolate: "v8::Isolate::Scope isolate_scope(isolate);",
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
        },
    };

    // The caller of this interface is C or C++.
    const UNWINDS: bool = false;

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
        // SAFETY: as above; it takes no argument.
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
            hooks: Err("only what the host tells of by handleguard.h is seen".to_owned()),
        }
    }
}
