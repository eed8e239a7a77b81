//! What the hooks of persistent handles record: when to look at their number, if the host marks no turn, and who makes them
//! while it grows.

use crate::engine::ids::IsolateId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::guards::session::leaving;
use crate::guards::verdicts;
use crate::place::Place;
use crate::process::global;
use crate::symbolize::names;
use std::cell::Cell;

/// The fewest and the most handles that a thread makes before it looks at the record again.
const FEWEST: u32 = 16;
const MOST: u32 = 256;

/// What one thread knows without a look at a record.
struct Countdown {
    /// How many more handles are made before the next look.
    left: Cell<u32>,
    /// How many there are between two looks.
    between: Cell<u32>,
    /// It is counted who makes the handles of an isolate of this thread.
    counting: Cell<bool>,
}

thread_local! {
    static COUNTDOWN: Countdown = const {
        Countdown {
            left: Cell::new(FEWEST),
            between: Cell::new(FEWEST),
            counting: Cell::new(false),
        }
    };
}

/// Records that a function that returns to `ip` has just made a persistent handle of `isolate`, at the address `handle`.
///
/// # Aborts
///
/// By the action of `global-growth`.
#[inline]
pub fn persistent_handle_made<L: LiveIsolate>(isolate: L, ip: usize, handle: usize) {
    let is_due = COUNTDOWN.with(|countdown| {
        let left = countdown.left.get().saturating_sub(1);
        countdown.left.set(left);
        left == 0
    });
    if is_due {
        made_slow(isolate.engine(), ip, handle);
    }
}

#[cold]
#[inline(never)]
fn made_slow<E: Engine>(engine: E, ip: usize, handle: usize) {
    if global::start().is_off() {
        COUNTDOWN.with(|countdown| countdown.left.set(MOST));
        return;
    }
    let _ = leaving(|session| {
        let thread = session.thread;
        if thread.is_reporting() {
            return;
        }
        thread.in_hook(|| {
            let looked = thread.existing_record(engine.isolate(), |stack| {
                let here = (&raw const ip).addr();
                stack.persistent_handle_made(handle, || names::kept(Place::code(ip, here)));
                stack.persistent_handles_are_due()
            });
            let is_due = looked == Some(true);
            if is_due {
                verdicts::persistent_handles(session, engine);
            }
            let counting = thread.existing_record(engine.isolate(), |stack| stack.counts_makers());
            let counting = counting == Some(true);
            COUNTDOWN.with(|countdown| {
                let between = match countdown.between.get() {
                    _ if is_due => FEWEST,
                    between => (between * 2).min(MOST),
                };
                countdown.between.set(between);
                countdown.left.set(if counting { 1 } else { between });
                if counting {
                    countdown.counting.set(true);
                }
            });
        });
    });
}

/// Records that the persistent handle at the address `handle` is reset by this thread, whose current isolate `isolate` returns.
#[inline]
pub fn persistent_handle_reset(isolate: impl FnOnce() -> Option<IsolateId>, handle: usize) {
    if COUNTDOWN.with(|countdown| countdown.counting.get())
        && let Some(isolate) = isolate()
    {
        reset_slow(isolate, handle);
    }
}

#[cold]
#[inline(never)]
fn reset_slow(isolate: IsolateId, handle: usize) {
    let _ = leaving(|session| {
        let record = session.thread.existing_record(isolate, |stack| {
            stack.persistent_handle_reset(handle);
        });
        if record.is_none() {
            COUNTDOWN.with(|countdown| countdown.counting.set(false));
        }
    });
}
