//! The API of builds without checks, the twin of [`on`](crate::switch::on): the same names and signatures, guards of size zero,
//! and empty bodies.

use crate::config::action::Action;
use crate::config::addon::AddonFunction;
use crate::config::settings::Config;
use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::ScopeKind;
use crate::engine::ids::EntryId;
use crate::engine::interface::{Engine, LiveIsolate};
use crate::engine::refused::Refused;
use crate::place::Place;
use crate::process::global::InitError;
use crate::record::report::Report;
use std::marker::PhantomData;
use std::panic;
use std::time::Duration;

/// Whether the checks are compiled into this build.
pub const COMPILED_IN: bool = false;

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the scope closes immediately"]
#[derive(Debug)]
pub struct ScopeGuard<E: Engine>(PhantomData<(*const (), E)>);

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the callback ends immediately"]
#[derive(Debug)]
pub struct CallbackGuard<E: Engine>(PhantomData<(*const (), E)>);

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the turn ends immediately"]
#[derive(Debug)]
pub struct TurnGuard<E: Engine>(PhantomData<(*const (), E)>);

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the phase ends immediately"]
#[derive(Debug)]
pub struct GcGuard<E: Engine>(PhantomData<(*const (), E)>);

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn scope<L: LiveIsolate>(_: L, _: impl Into<Option<&'static str>>) -> ScopeGuard<L::Engine> {
    ScopeGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn scope_at<L: LiveIsolate>(_: L, _: ScopeKind, _: Place) -> ScopeGuard<L::Engine> {
    ScopeGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[doc(hidden)]
#[inline(always)]
pub fn scope_fast<E: Engine>(
    _: E,
    _: ScopeKind,
    _: Option<&'static str>,
    _: &'static panic::Location<'static>,
) -> Option<ScopeGuard<E>> {
    Some(ScopeGuard(PhantomData))
}

/// Does nothing: the checks are compiled out.
#[doc(hidden)]
#[inline(always)]
pub fn callback_fast<E: Engine>(
    _: E,
    _: Option<&'static str>,
    _: &'static panic::Location<'static>,
) -> Option<CallbackGuard<E>> {
    Some(CallbackGuard(PhantomData))
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn callback<L: LiveIsolate>(
    _: L,
    _: impl Into<Option<&'static str>>,
) -> CallbackGuard<L::Engine> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn callback_at<L: LiveIsolate>(
    _: L,
    _: Place,
    _: impl FnOnce() -> Option<String>,
) -> CallbackGuard<L::Engine> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn checkpoint<L: LiveIsolate>(
    _: L,
    _: impl Into<Option<&'static str>>,
) -> CallbackGuard<L::Engine> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn checkpoint_at<L: LiveIsolate>(_: L, _: Place) -> CallbackGuard<L::Engine> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn turn<L: LiveIsolate>(_: L, _: impl Into<Option<&'static str>>) -> TurnGuard<L::Engine> {
    TurnGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn turn_at<L: LiveIsolate>(_: L, _: Place) -> TurnGuard<L::Engine> {
    TurnGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn turn_in_no_isolate(_: Place) {}

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the call is over immediately"]
#[derive(Debug)]
pub struct AddonGuard<E: Engine>(PhantomData<(*const (), E)>);

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn addon<L: LiveIsolate>(_: L, _: AddonFunction) -> AddonGuard<L::Engine> {
    AddonGuard(PhantomData)
}

macro_rules! detach {
    ($($guard: ident)*) => { $(
        impl<E: Engine> $guard<E> {
            /// Returns `None`, for there is nothing to close: the checks are compiled out.
            #[inline(always)]
            pub fn detach(self) -> Option<EntryId> {
                None
            }

            /// Returns a guard that closes nothing: the checks are compiled out.
            #[inline(always)]
            pub fn attach(_: E, _: EntryId) -> Self {
                Self(PhantomData)
            }
        }
    )* };
}

detach!(ScopeGuard CallbackGuard TurnGuard);

/// Returns `false`: the checks are compiled out.
#[inline(always)]
pub fn is_open<E: Engine>(_: E, _: EntryId) -> bool {
    false
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn gc<L: LiveIsolate>(_: L, _: GcPhase, _: Place) -> GcGuard<L::Engine> {
    GcGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn collection_begins<L: LiveIsolate>(_: L) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn collection_ends<L: LiveIsolate>(_: L, _: bool) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn enter<L: LiveIsolate>(_: L, _: Place) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn exit<L: LiveIsolate>(_: L, _: Place) {}

/// Returns [`Action::Off`]: the checks are compiled out.
#[inline(always)]
pub fn action_of_sealed() -> Action {
    Action::Off
}

/// Returns [`Refused::Die`]: the checks are compiled out.
#[inline(always)]
pub fn handle_refused<L: LiveIsolate>(_: L, _: bool) -> Refused {
    Refused::Die
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn end_isolate<L: LiveIsolate>(_: L) {}

/// Returns `false`: the checks are compiled out.
#[inline(always)]
pub fn is_on() -> bool {
    false
}

/// Returns 0: the checks are compiled out.
#[inline(always)]
pub fn depth() -> u32 {
    0
}

/// Returns an empty report: the checks are compiled out.
#[inline(always)]
pub fn report() -> Report {
    Report::default()
}

/// Returns `true`: the checks are compiled out, and nothing waits to be logged.
#[inline(always)]
pub fn flush(_: Duration) -> bool {
    true
}

/// Returns an empty report: the checks are compiled out.
#[inline(always)]
pub fn tick() -> (Report, Report) {
    (Report::default(), Report::default())
}

/// Does nothing: the checks are compiled out, and the variable `HANDLEGUARD` is not read.
///
/// # Errors
///
/// None.
#[inline(always)]
pub fn try_init(_: Config) -> Result<(), InitError> {
    Ok(())
}
