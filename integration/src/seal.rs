//! Sealed turns: V8's own `SealHandleScope`, under which V8 refuses each handle.
//!
//! V8 refuses a handle by ending the process (`handles.cc`, `HandleScope::Extend`). The report comes before: by the hook in
//! `Extend`, which can lift the seal so that the handle is made after all, or else by `fatal_error.rs`.
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
            unsafe { lift(seals, outermost, |seal| seal.isolate == address) };
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
                unsafe { destroy(seal) };
            }
        }
    });
}

/// Reports a handle that V8 is about to refuse in `isolate`, and lifts the seals that refuse it. V8 ends the process where the
/// seals are not of this crate, or the action of `sealed` ends it.
#[cfg(all(feature = "interpose", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn rescue(isolate: LiveV8<'_>) {
    let (address, level) = (isolate.as_raw().addr(), isolate.level());
    let ours = |seal: &Seal| seal.isolate == address && seal.level == level;
    let can_rescue = SEALS.with(|seals| seals.iter().any(ours));
    match handleguard::handle_refused(isolate, can_rescue) {
        handleguard::Refused::Die => {}
        // SAFETY: as in `unseal`.
        handleguard::Refused::Rescue => SEALS.with(|seals| unsafe { lift(seals, 0, ours) }),
    }
}

/// Lifts the seals from the one at `outermost` on for which `which` holds, innermost first.
///
/// # Safety
///
/// Their isolate is live, and no other thread uses it.
unsafe fn lift(seals: &mut Vec<Seal>, outermost: usize, which: impl Fn(&Seal) -> bool) {
    for at in (outermost..seals.len()).rev() {
        if which(&seals[at]) {
            // SAFETY: the isolate of the seal is live, as this function requires.
            unsafe { destroy(seals.remove(at)) };
        }
    }
}

/// # Safety
///
/// The isolate of the seal is live, and no other thread uses it.
unsafe fn destroy(mut seal: Seal) {
    // SAFETY: `seal` constructed the object in the buffer, and this function takes it, so it is destroyed once; its isolate is live,
    // as this function requires.
    unsafe { ffi::unseal(&raw mut seal.buffer) };
}
