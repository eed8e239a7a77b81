//! V8's isolate: its name, and what can be read of it while it is live.

use crate::calibrate::{self, CalibrationError};
use crate::ffi::{self, RawIsolate};
use crate::script;
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
use handleguard::IsolateId;
use handleguard::{Counters, Cursor};
use once_cell::race::OnceBox;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of one V8 isolate, which guards keep. It reads nothing of the isolate.
///
/// Not `Send`: a guard keeps it, and closes on the thread that opened it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V8 {
    isolate: *mut RawIsolate,
}

/// A live isolate that may be used on this thread during `'a`: what handleguard reads V8's state from.
///
/// Made from a borrow of the v8 crate's `Isolate`, by `from_raw`, or by the core for an isolate that has a
/// record on this thread.
#[derive(Clone, Copy, Debug)]
pub struct LiveV8<'a> {
    isolate: *mut RawIsolate,
    _borrow: PhantomData<&'a v8::Isolate>,
}

/// Where V8 keeps `level`; found in the first isolate of the process, and the same in all, for it is one V8.
static CALIBRATED: OnceBox<Result<usize, CalibrationError>> = OnceBox::new();

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

    /// The name of the isolate.
    #[inline]
    pub(crate) fn name(self) -> V8 {
        V8 {
            isolate: self.isolate,
        }
    }

    /// The number of open handle scopes, as V8 counts them.
    #[inline]
    pub(crate) fn level(self) -> Option<u32> {
        let offset = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => self.calibrated().ok()?,
            found => found,
        };
        // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `int level` at this offset of it. Volatile, for
        // V8 changes it behind the compiler's back.
        let level: i32 = unsafe { ptr::read_volatile(self.isolate.byte_add(offset).cast()) };
        u32::try_from(level).ok()
    }

    /// The number of handles alive in all open scopes together.
    #[inline]
    pub(crate) fn handles(self) -> Option<u64> {
        // SAFETY: the isolate is live (`LiveV8`); the function only reads its handle blocks.
        let handles = unsafe { ffi::number_of_handles(self.isolate) };
        u64::try_from(handles).ok()
    }

    /// The place of the next handle. `None` until the level was found.
    #[inline]
    pub(crate) fn cursor(self) -> Option<Cursor> {
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

    /// The addresses of the level and of the place of the next handle. `None` until the level was found.
    pub(crate) fn counters(self) -> Option<Counters> {
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

    /// V8's `level` and `sealed_level`: V8 refuses handles where they are equal. `None` until the level was found.
    pub(crate) fn levels(self) -> Option<[i32; 2]> {
        let level = match LEVEL_OFFSET.load(Ordering::Relaxed) {
            0 => return None,
            level => level,
        };
        // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `int level` at this offset of it; `int
        // sealed_level` is the next (`v8-internal.h`, `HandleScopeData`). Volatile, as in `level`.
        Some(unsafe { ptr::read_volatile(self.isolate.byte_add(level).cast()) })
    }

    /// Sets V8's `limit`, to which handles are made without a call of `HandleScope::Extend`.
    ///
    /// # Safety
    ///
    /// The level was found. `limit` lies in V8's last block of handles or at its end, and not below `next`.
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) unsafe fn set_limit(self, limit: usize) {
        let level = LEVEL_OFFSET.load(Ordering::Relaxed);
        let word = level - size_of::<usize>();
        // SAFETY: the isolate is live (`LiveV8`), and calibration has seen V8's `Address* limit` in the word before `level`. One
        // thread at a time uses an isolate. Volatile, as in `level`.
        unsafe { ptr::write_volatile(self.isolate.byte_add(word).cast(), limit) }
    }

    /// Sets V8's `sealed_level`.
    ///
    /// # Safety
    ///
    /// The level was found, and `sealed_level` is what V8 had before the seal that set the present one.
    pub(crate) unsafe fn set_sealed_level(self, sealed_level: i32) {
        let level = LEVEL_OFFSET.load(Ordering::Relaxed);
        let word = level + size_of::<i32>();
        // SAFETY: the isolate is live (`LiveV8`), and `int sealed_level` is the next after the level, as in `levels`. One thread at a
        // time uses an isolate. Volatile, as in `level`.
        unsafe { ptr::write_volatile(self.isolate.byte_add(word).cast(), sealed_level) }
    }

    /// Whether V8 would refuse a handle that is made now: the innermost scope is a seal, or there is none (`handles.cc`,
    /// `HandleScope::Extend`). `false` until the level was found.
    #[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn refuses_handles(self) -> bool {
        self.levels().is_some_and(|[level, sealed]| level == sealed)
    }

    /// Returns the function that is called, as a stack trace of JavaScript would show it.
    pub(crate) fn callee(self, function: &v8::Function) -> String {
        // SAFETY: the isolate is live and this thread's (`LiveV8`), and the function is called in it.
        unsafe { script::callee(self.isolate, function) }
    }

    /// The offset of `level`, found at the first call.
    #[cold]
    pub(crate) fn calibrated(self) -> Result<usize, CalibrationError> {
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
