//! Finds V8's `level` without a private header.
//!
//! V8 keeps `HandleScopeData { Address* next; Address* limit; int level; int sealed_level; }` (`v8-internal.h`) somewhere
//! inside the isolate, at a place that depends on how V8 was built. A `HandleScope` saves `next` and `limit` as words 1
//! and 2 of itself (`v8-local-handle.h`), so the values of the pair are known. Where the pair lies in the isolate, and the `int`
//! behind it goes up and down by one over nested scopes, that `int` is `level`. Calibration refuses anything else, and the
//! checker goes on without the level.
//!
//! The scopes that this opens go past the hooks, which ask for the level themselves.

use crate::ffi::{self, RawIsolate, ScopeBuffer};
use crate::interpose::real;
use std::fmt;
use std::ptr;

/// The part of the isolate that is searched, in words: 4 KiB, and V8 15 has the pair at byte 568. An isolate is far larger: its
/// `IsolateData` begins with the tables of builtins and roots (`isolate-data.h`), tens of KiB.
const WINDOW: usize = 512;

/// Why the level cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CalibrationError {
    /// `next` and `limit` are nowhere in the window.
    NotFound,
    /// They are at several places.
    Ambiguous,
    /// The number behind them is not a level.
    DoesNotCount,
}

impl fmt::Display for CalibrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "HandleScopeData not found in this V8's isolate",
            Self::Ambiguous => "HandleScopeData found at several places of this V8's isolate",
            Self::DoesNotCount => {
                "what looks like HandleScopeData does not count scopes in this V8"
            }
        })
    }
}

/// An engine that can be calibrated: V8, or the fake of the tests.
///
/// # Safety
///
/// `memory` points at `WINDOW` readable words for as long as the value lives.
pub(crate) unsafe trait Subject {
    fn memory(&self) -> *const usize;

    /// Opens a scope, after at least one handle was made in the scope around it. Returns the `next` and `limit` that it saved.
    fn open(&mut self) -> [usize; 2];

    /// Closes the innermost scope.
    fn close(&mut self);
}

/// Finds the offset of `level` in the isolate, in bytes.
pub(crate) fn level_offset(subject: &mut impl Subject) -> Result<usize, CalibrationError> {
    // The first scope makes V8 allocate a block of handles: without one, `next` and `limit` are null.
    subject.open();
    let saved = subject.open();
    let found = find(&*subject, saved);
    let offset = found.and_then(|word| counts(subject, word));
    subject.close();
    subject.close();
    offset
}

/// Finds the word at which the pair lies. The scope that saved it holds no handle yet, so it is V8's current pair too.
fn find(subject: &impl Subject, [next, limit]: [usize; 2]) -> Result<usize, CalibrationError> {
    if next == 0 || limit == 0 {
        return Err(CalibrationError::NotFound);
    }
    let mut found = (0..WINDOW - 2)
        .filter(|&word| [read(subject, word), read(subject, word + 1)] == [next, limit]);
    match (found.next(), found.next()) {
        (Some(word), None) => Ok(word),
        (None, _) => Err(CalibrationError::NotFound),
        (Some(_), Some(_)) => Err(CalibrationError::Ambiguous),
    }
}

/// Whether the `int` behind the pair at `word` follows three more scopes up and down, one by one.
fn counts(subject: &mut impl Subject, word: usize) -> Result<usize, CalibrationError> {
    let level = |subject: &_| low_half(read(subject, word + 2));
    let start = level(&*subject);
    let mut ok = start > 0 && start < 1 << 20;
    for up in 1..=3 {
        subject.open();
        ok &= level(&*subject) == start + up;
    }
    for down in (0..3).rev() {
        subject.close();
        ok &= level(&*subject) == start + down;
    }
    if ok {
        Ok((word + 2) * size_of::<usize>())
    } else {
        Err(CalibrationError::DoesNotCount)
    }
}

fn read(subject: &impl Subject, word: usize) -> usize {
    debug_assert!(word < WINDOW);
    // SAFETY: `Subject` requires `WINDOW` readable words at `memory`, and every caller stays below `WINDOW`. Volatile, for
    // V8 changes them behind the compiler's back.
    unsafe { ptr::read_volatile(subject.memory().add(word)) }
}

/// The `int` at the lower address of a word.
fn low_half(word: usize) -> i64 {
    let bytes = word.to_ne_bytes();
    i64::from(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// A V8 isolate being calibrated.
pub(crate) struct Isolate {
    isolate: *mut RawIsolate,
    #[expect(clippy::vec_box, reason = "a scope stays where it was constructed")]
    scopes: Vec<Box<ScopeBuffer>>,
}

impl Isolate {
    /// # Safety
    ///
    /// `isolate` is a live isolate that may be used on this thread, and outlives the value.
    pub(crate) unsafe fn new(isolate: *mut RawIsolate) -> Self {
        Self {
            isolate,
            scopes: Vec::new(),
        }
    }
}

// SAFETY: the isolate is live as long as the value (`Isolate::new`), and far larger than the window; see `WINDOW`.
unsafe impl Subject for Isolate {
    fn memory(&self) -> *const usize {
        self.isolate.cast_const().cast()
    }

    fn open(&mut self) -> [usize; 2] {
        let mut buffer = Box::new(ScopeBuffer::default());
        // SAFETY: the isolate is live and this thread's (`Isolate::new`); the buffer has room for a `HandleScope` and stays
        // where it is until `close`. The handle goes to the scope opened here, and dies with it.
        unsafe {
            real::construct_unhooked(&raw mut *buffer, self.isolate);
            let saved = [buffer[1], buffer[2]];
            self.scopes.push(buffer);
            if self.scopes.len() == 1 {
                ffi::v8__Local__New(self.isolate, ffi::v8__Undefined(self.isolate));
            }
            saved
        }
    }

    fn close(&mut self) {
        if let Some(mut buffer) = self.scopes.pop() {
            // SAFETY: constructed in `open`, and the innermost of those still open.
            unsafe { real::destruct_unhooked(&raw mut *buffer) };
        }
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        while !self.scopes.is_empty() {
            self.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mock, for no real V8 with another layout can be had in one build: an isolate of plain words, whose `level` can be
    /// made to misbehave.
    struct Fake {
        words: Box<[usize; WINDOW]>,
        pair: usize,
        step: i32,
        saved: Vec<[usize; 2]>,
    }

    const NEXT: usize = 0x7000_1000;
    const LIMIT: usize = 0x7000_2000;

    impl Fake {
        fn new(pair: usize) -> Self {
            let mut words = Box::new([0x5555_0000; WINDOW]);
            words[pair] = NEXT;
            words[pair + 1] = LIMIT;
            words[pair + 2] = 0;
            Self {
                words,
                pair,
                step: 1,
                saved: Vec::new(),
            }
        }

        fn add(&mut self, by: i32) {
            let word = &mut self.words[self.pair + 2];
            let level = i32::try_from(*word & 0xffff_ffff).unwrap() + by;
            // The upper half is `sealed_level`.
            *word = 0xffff_ffff_0000_0000 | usize::try_from(level).unwrap();
        }
    }

    // SAFETY: the array has `WINDOW` words.
    unsafe impl Subject for Fake {
        fn memory(&self) -> *const usize {
            self.words.as_ptr()
        }

        fn open(&mut self) -> [usize; 2] {
            let saved = [NEXT, LIMIT];
            self.saved.push(saved);
            self.add(self.step);
            saved
        }

        fn close(&mut self) {
            self.saved.pop();
            self.add(-self.step);
        }
    }

    #[test]
    fn a_level_that_follows_the_scopes_is_found() {
        let mut fake = Fake::new(71);
        assert_eq!(level_offset(&mut fake), Ok(584));
        assert!(fake.saved.is_empty(), "every scope is closed again");
    }

    #[test]
    fn a_layout_without_the_pair_is_refused() {
        let mut fake = Fake::new(71);
        fake.words[71] += 8;
        assert_eq!(level_offset(&mut fake), Err(CalibrationError::NotFound));
        assert!(fake.saved.is_empty());
    }

    #[test]
    fn a_pair_at_two_places_is_refused() {
        let mut fake = Fake::new(71);
        fake.words[300] = NEXT;
        fake.words[301] = LIMIT;
        assert_eq!(level_offset(&mut fake), Err(CalibrationError::Ambiguous));
    }

    #[test]
    fn a_number_that_does_not_move_by_one_is_refused() {
        for step in [0, 2] {
            let mut fake = Fake::new(71);
            fake.step = step;
            assert_eq!(level_offset(&mut fake), Err(CalibrationError::DoesNotCount));
            assert!(fake.saved.is_empty());
        }
    }

    #[test]
    fn a_pair_at_the_edge_of_the_window_is_not_read_past_it() {
        assert_eq!(
            level_offset(&mut Fake::new(WINDOW - 3)),
            Ok((WINDOW - 1) * 8)
        );
    }
}
