//! Sealed turns: V8's own `SealHandleScope`, under which V8 refuses each handle.
//!
//! V8 refuses a handle by ending the process (`handles.cc`, `HandleScope::Extend`). The report comes before: by the hook in
//! `Extend`, which can lift the seal so that the handle is made after all, or else by `fatal_error.rs`.
//!
//! Where the hook can rescue each handle, a seal also shows who makes the handles of a turn that is watched: the handle is let
//! through, its stack is kept, and the turn is sealed again for the next one.
//!
//! A seal writes to its isolate when it is lifted, so it is lifted before the isolate is disposed of: the list of them is one for
//! the process, because an isolate may end on another thread than that of its turns, or while the locals of that thread are
//! being destroyed.

use crate::ffi::{self, SealBuffer};
use crate::isolate::LiveV8;
use handleguard::{EntryId, ForkMutex, thread_number};

/// All seals, in order of sealing.
static SEALS: ForkMutex<Vec<Seal>> = ForkMutex::new();

struct Seal {
    /// The address of the isolate.
    isolate: usize,
    /// The thread whose turn it is: an [`EntryId`] is unique on one thread only.
    thread: usize,
    turn: EntryId,
    /// V8's level when it was sealed: V8 refuses handles at this level.
    #[cfg_attr(
        not(all(feature = "interpose", target_os = "linux", target_arch = "x86_64")),
        expect(dead_code, reason = "only the hook in `Extend` can rescue")
    )]
    level: Option<u32>,
    /// What V8 has where the seal is the innermost thing open: its `limit` and `sealed_level`.
    state: Option<(usize, i32)>,
    /// V8's `sealed_level` before.
    sealed_level_before: Option<i32>,
    buffer: SealBuffer,
}

/// V8's `limit` and `sealed_level`, which a seal sets, and restores when it is lifted.
fn state(isolate: LiveV8<'_>) -> Option<(usize, i32)> {
    let [_, sealed_level] = isolate.levels()?;
    Some((isolate.cursor()?.limit, sealed_level))
}

/// Seals `isolate` for `turn`. [`lift_all`] must be called before the isolate is disposed of.
pub(crate) fn seal(isolate: LiveV8<'_>, turn: EntryId) {
    let level = isolate.level();
    let sealed_level_before = isolate.levels().map(|[_, sealed_level]| sealed_level);
    let mut buffer = SealBuffer::default();
    // SAFETY: the isolate is live (`LiveV8`); the buffer has room, and may be moved (`SealBuffer`).
    unsafe { ffi::seal(&raw mut buffer, isolate.as_raw()) };
    SEALS.with(|seals| {
        seals.push(Seal {
            isolate: isolate.as_raw().addr(),
            thread: thread_number(),
            turn,
            level,
            state: state(isolate),
            sealed_level_before,
            buffer,
        });
    });
}

/// Lifts the seal of this thread's `turn`, and those inside it that were never lifted. Does nothing if a rescue has lifted it.
pub(crate) fn unseal(isolate: LiveV8<'_>, turn: EntryId) {
    let (address, thread) = (isolate.as_raw().addr(), thread_number());
    let of_turn =
        |seal: &Seal| seal.isolate == address && seal.thread == thread && seal.turn == turn;
    SEALS.with(|seals| {
        if let Some(outermost) = seals.iter().rposition(of_turn) {
            // SAFETY: they are of `isolate`, which is live (`LiveV8`), and no earlier isolate at its address has seals in the list:
            // `lift_all` took them before it was disposed of.
            unsafe { lift(isolate, seals, outermost, |seal| seal.isolate == address) };
        }
    });
}

/// Lifts all seals of an isolate that is about to end, of whichever thread. A seal that V8 does not have now is only forgotten:
/// a `v8::Locker` puts the scopes and seals of one thread away while another has the isolate.
pub(crate) fn lift_all(isolate: LiveV8<'_>) {
    let address = isolate.as_raw().addr();
    SEALS.with(|seals| {
        for at in (0..seals.len()).rev() {
            if seals[at].isolate != address {
                continue;
            }
            let now = state(isolate);
            let seal = seals.remove(at);
            if now.is_some() && now == seal.state {
                // SAFETY: it is of `isolate`, which is live, as in `unseal`.
                unsafe { destroy(isolate, seal) };
            }
        }
    });
}

/// Reports a handle that V8 is about to refuse in `isolate`, and lifts the seals that refuse it. V8 ends the process where the
/// seals are not of this crate, or the action of `sealed` ends it.
///
/// Returns 0 if V8's `Extend` is to run now. Where the turn is sealed again for the next handle, `extend`, which is V8's, has run,
/// and this returns the same: the address of the handle that V8 is about to make.
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn rescue(isolate: LiveV8<'_>, extend: impl FnOnce() -> usize) -> usize {
    let (address, level) = (isolate.as_raw().addr(), isolate.level());
    let ours = |seal: &Seal| seal.isolate == address && seal.level == level;
    let outermost = SEALS.with(|seals| seals.iter().find(|seal| ours(seal)).map(|seal| seal.turn));
    let fate = handleguard::handle_refused(isolate, outermost.is_some());
    if fate == handleguard::Refused::Die {
        return 0;
    }
    // SAFETY: as in `unseal`.
    SEALS.with(|seals| unsafe { lift(isolate, seals, 0, ours) });
    let again = outermost
        .filter(|_| fate == handleguard::Refused::RescueOnce && !isolate.refuses_handles());
    let Some(turn) = again else {
        return 0;
    };
    let handle = extend();
    if handle != 0 {
        seal_after(isolate, turn, handle);
    }
    handle
}

/// Seals `isolate` for `turn`, but for the handle that V8 is about to make at the address `handle`, its `next`.
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
fn seal_after(isolate: LiveV8<'_>, turn: EntryId, handle: usize) {
    let next = isolate.cursor().map(|cursor| cursor.next);
    if next != Some(handle) {
        return;
    }
    seal(isolate, turn);
    // V8's seal sets `limit` to `next` (`api.cc`, `SealHandleScope`), which `HandleScope::CreateHandle` now goes past by one handle
    // (`handles-inl.h`).
    let limit = handle + size_of::<usize>();
    // SAFETY: the cursor is known, so the level was found. V8's `Extend` has made room for one handle at `next`, so the end of it is in
    // the same block, or its end.
    unsafe { isolate.set_limit(limit) };
    SEALS.with(|seals| {
        if let Some(seal) = seals.last_mut() {
            seal.state = state(isolate);
        }
    });
}

/// Lifts the seals of `isolate` from the one at `outermost` on for which `which` holds, innermost first.
///
/// # Safety
///
/// They are of `isolate`, and no other thread uses it.
unsafe fn lift(
    isolate: LiveV8<'_>,
    seals: &mut Vec<Seal>,
    outermost: usize,
    which: impl Fn(&Seal) -> bool,
) {
    for at in (outermost..seals.len()).rev() {
        if which(&seals[at]) {
            // SAFETY: it is of `isolate`, as this function requires.
            unsafe { destroy(isolate, seals.remove(at)) };
        }
    }
}

/// Lifts one seal. Where V8 has another `limit` than the seal left, a scope was left open in the turn, or one around it was closed, and
/// the `limit` from before the seal may be that of another block: V8's own stays, and the next handle finds the end of the block
/// (`handles.cc`, `HandleScope::Extend`).
///
/// # Safety
///
/// The seal is of `isolate`, and no other thread uses it.
unsafe fn destroy(isolate: LiveV8<'_>, mut seal: Seal) {
    if let Some(now) = state(isolate)
        && let (Some(sealed), Some(before)) = (seal.state, seal.sealed_level_before)
        && now != sealed
    {
        if now.1 == sealed.1 {
            // SAFETY: the level was found, and the seal set the present `sealed_level`.
            unsafe { isolate.set_sealed_level(before) };
        }
        return;
    }
    // SAFETY: `seal` constructed the object in the buffer, and this function takes it, so it is destroyed once; its isolate is live,
    // as this function requires.
    unsafe { ffi::unseal(&raw mut seal.buffer) };
}
