use crate::calibrate::{self, Refused};
use crate::current;
use crate::ffi::{self, RawIsolate};
use crate::script;
use crate::seal;
use handleguard::EntryId;
use handleguard::{
    Capabilities, Counters, Cursor, Engine, Entered, FrameClassifier, IsolateId, LiveIsolate,
    ScriptFrame, Wording,
};
use once_cell::race::OnceBox;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of one V8 isolate, which guards keep. It reads nothing of the isolate.
///
/// Not `Send`, as a guard that holds it closes on the thread that opened it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V8 {
    isolate: *mut RawIsolate,
}

/// A live isolate that may be used on this thread during `'a`: what handleguard reads V8's state from.
///
/// Made from a borrow of the v8 crate's `Isolate`, by [`from_raw`](Self::from_raw), or by the core for an isolate that has a
/// record on this thread.
#[derive(Clone, Copy, Debug)]
pub struct LiveV8<'a> {
    isolate: *mut RawIsolate,
    _borrow: PhantomData<&'a v8::Isolate>,
}

/// Where V8 keeps `level`; found in the first isolate of the process, and the same in all, for it is one V8.
static CALIBRATED: OnceBox<Result<usize, Refused>> = OnceBox::new();

/// The offset that was found, for the hot path; 0, where V8 keeps no level, as long as there is none.
static LEVEL_OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Handles alive in all open scopes of the isolate together, exact to one (`HandleScope::NumberOfHandles`).
#[inline]
pub fn handles(isolate: &v8::Isolate) -> Option<u64> {
    LiveV8::of(isolate).handles()
}

/// Open handle scopes of the isolate, as V8 counts them (`HandleScopeData::level`). `None` if this V8's count could not be
/// found.
#[inline]
pub fn level(isolate: &v8::Isolate) -> Option<u32> {
    LiveV8::of(isolate).level()
}

impl V8 {
    /// The name of the isolate that has this identity.
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn named(isolate: IsolateId) -> Self {
        Self {
            isolate: ptr::with_exposed_provenance_mut(isolate.0),
        }
    }

    /// The address of the isolate.
    pub(crate) fn as_raw(self) -> *mut RawIsolate {
        self.isolate
    }
}

impl<'a> LiveV8<'a> {
    /// The isolate of any scope or isolate: all of the v8 crate's dereference to it.
    #[inline]
    pub(crate) fn of(isolate: &'a v8::Isolate) -> Self {
        // SAFETY: `UnsafeRawIsolatePtr` is a transparent wrapper of the isolate's address (the v8 crate's `isolate.rs`); a
        // size that differs does not compile.
        let isolate: *mut RawIsolate = unsafe { std::mem::transmute(isolate.as_raw_isolate_ptr()) };
        Self {
            isolate,
            _borrow: PhantomData,
        }
    }

    /// The isolate at that address.
    ///
    /// # Safety
    ///
    /// The isolate is live and may be used on this thread during `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw(isolate: *mut RawIsolate) -> Self {
        Self {
            isolate,
            _borrow: PhantomData,
        }
    }

    /// The address of the isolate.
    pub(crate) fn as_raw(self) -> *mut RawIsolate {
        self.isolate
    }

    /// Whether V8 would refuse a handle that is made now: the innermost scope is a seal, or there is none (`handles.cc`,
    /// `HandleScope::Extend`). `false` if the level could not be found.
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn refuses_handles(self) -> bool {
        let level = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => return false,
            level => level,
        };
        // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `int level` at this offset of it; `int
        // sealed_level` is the next (`v8-internal.h`, `HandleScopeData`).
        let [level, sealed]: [i32; 2] =
            unsafe { ptr::read_volatile(self.isolate.byte_add(level).cast()) };
        level == sealed
    }

    /// Returns the function that is called, as a stack trace of JavaScript would show it.
    pub(crate) fn callee(self, function: &v8::Function) -> String {
        // SAFETY: the isolate is live and this thread's (`LiveV8`), and the function is called in it.
        unsafe { script::callee(self.isolate, function) }
    }

    /// The offset of `level`, found at the first call.
    #[cold]
    fn calibrated(self) -> Result<usize, Refused> {
        let found = *CALIBRATED.get_or_init(|| {
            // SAFETY: the isolate is live and this thread's (`LiveV8`), and outlives the value, which is dropped here.
            let mut subject = unsafe { calibrate::Isolate::new(self.isolate) };
            Box::new(calibrate::level_offset(&mut subject))
        });
        if let Ok(offset) = found {
            LEVEL_OFFSET.store(offset, Ordering::Relaxed);
        }
        found
    }
}

impl Engine for V8 {
    const WORDING: &'static Wording = &Wording {
        open_scope: "handleguard_v8::scope!(let scope, scope);",
        mark_turn: "handleguard_v8::turn!(scope);",
        enter_isolate: "unsafe { isolate.enter() };",
        classifier: &FrameClassifier {
            name: "V8",
            file: Some(file!()),
            own_paths: &["handleguard_v8::"],
            engine_crate: Some("v8-"),
            engine_symbols: &["Builtins_", "v8::"],
            script_symbols: &[
                "Builtins_InterpreterEntryTrampoline",
                "Builtins_InterpreterPushArgsThenFastConstructFunction",
                "Builtins_BaselineOutOfLinePrologue",
            ],
        },
    };

    type Live<'a> = LiveV8<'a>;

    #[inline]
    fn isolate(self) -> IsolateId {
        IsolateId(self.isolate.expose_provenance())
    }

    #[inline]
    unsafe fn live<'a>(self) -> Self::Live<'a> {
        // SAFETY: the isolate is not disposed of during `'a` (required by `Engine::live`).
        unsafe { LiveV8::from_raw(self.isolate) }
    }

    #[inline]
    fn entered(self) -> Entered {
        let current = current::isolate();
        if current.is_null() {
            Entered::None
        } else {
            Entered::Isolate(IsolateId(current.addr()))
        }
    }

    #[inline(always)]
    fn is_entered(self) -> bool {
        current::is(self.isolate)
    }
}

impl LiveIsolate for LiveV8<'_> {
    type Engine = V8;

    #[inline]
    fn engine(self) -> V8 {
        V8 {
            isolate: self.isolate,
        }
    }

    #[inline]
    fn level(self) -> Option<u32> {
        let offset = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => self.calibrated().ok()?,
            found => found,
        };
        // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `int level` at this offset of it. Volatile, for
        // V8 changes it behind the compiler's back.
        let level: i32 = unsafe { ptr::read_volatile(self.isolate.byte_add(offset).cast()) };
        u32::try_from(level).ok()
    }

    #[inline]
    fn handles(self) -> Option<u64> {
        // SAFETY: the isolate is live (`LiveV8`); the function only reads its handle blocks.
        let handles = unsafe { ffi::number_of_handles(self.isolate) };
        u64::try_from(handles).ok()
    }

    #[inline]
    fn cursor(self) -> Option<Cursor> {
        let level = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => return None,
            level => level,
        };
        let word = |before: usize| {
            let offset = level - before * size_of::<usize>();
            // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `Address* next` and `Address* limit` in
            // the two words before `level`. Volatile, as in `level`.
            unsafe { ptr::read_volatile(self.isolate.byte_add(offset).cast()) }
        };
        Some(Cursor {
            next: word(2),
            limit: word(1),
        })
    }

    fn counters(self) -> Option<Counters> {
        let offset = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => return None,
            offset => offset,
        };
        // SAFETY: calibration has seen V8's `int level` at this offset of the isolate, and `next` and `limit` in the two words
        // before. They are readable as long as the isolate lives, which is as long as its record: `lifetime.rs` and the hook
        // of `Isolate::Dispose` end the record first. One thread at a time uses an isolate.
        unsafe {
            let level = self.isolate.byte_add(offset);
            let cursor = level.byte_sub(size_of::<[usize; 2]>());
            Some(Counters::new(cursor.cast(), level.cast()))
        }
    }

    fn holds(self, handle: usize) -> bool {
        // In V8's last block of them (`handle-scope-implementer.h`, `kHandleBlockSize`), as far as it is filled.
        const BLOCK: usize = 1022 * size_of::<usize>();
        self.cursor().is_some_and(|cursor| {
            (cursor.limit.saturating_sub(BLOCK)..cursor.next).contains(&handle)
        })
    }

    fn seal(self, turn: EntryId) -> bool {
        seal::seal(self, turn)
    }

    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    fn can_rescue(self) -> bool {
        self.calibrated().is_ok() && crate::interpose::sees_refused_handles()
    }

    fn unseal(self, turn: EntryId) {
        seal::unseal(self, turn);
    }

    fn script_frames(self) -> Vec<ScriptFrame> {
        // SAFETY: the isolate is live and this thread's (`LiveV8`).
        unsafe { script::frames(self.isolate) }
    }

    fn capabilities(self) -> Capabilities {
        Capabilities {
            level: match self.calibrated() {
                Ok(offset) => Ok(format!(
                    "V8 {}, byte {offset} of the isolate",
                    v8::V8::get_version()
                )),
                Err(why) => Err(why.to_string()),
            },
            handles: Ok("exact, by HandleScope::NumberOfHandles".to_owned()),
            hooks: hooks(),
        }
    }
}

#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
use crate::interpose::capabilities as hooks;

#[cfg(not(all(feature = "interpose", target_os = "linux", target_arch = "x86_64")))]
fn hooks() -> Result<String, String> {
    const SEEN: &str =
        "only what uses handleguard's own macros and calls is named; V8's level covers the rest";
    Err(match cfg!(feature = "interpose") {
        true => format!("there are some for x86-64 Linux, and none here; {SEEN}"),
        false => SEEN.to_owned(),
    })
}
