//! The API of builds without checks, the twin of [`on`](crate::switch::on): the same names and signatures, guards of size zero,
//! and empty bodies.

use crate::config::action::Action;
use crate::config::addon::AddonFunction;
use crate::config::settings::Config;
use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::ScopeKind;
use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::seal::Refused;
use crate::place::Place;
use crate::process::global::InitError;
use crate::record::report::Report;
use std::marker::PhantomData;
use std::panic;

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
pub fn scope<E: Engine>(_: E, _: impl Into<Option<&'static str>>) -> ScopeGuard<E> {
    ScopeGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn scope_at<E: Engine>(_: E, _: ScopeKind, _: Place) -> ScopeGuard<E> {
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
pub fn callback<E: Engine>(_: E, _: impl Into<Option<&'static str>>) -> CallbackGuard<E> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn callback_at<E: Engine>(
    _: E,
    _: Place,
    _: impl FnOnce() -> Option<String>,
) -> CallbackGuard<E> {
    CallbackGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn turn<E: Engine>(_: E, _: impl Into<Option<&'static str>>) -> TurnGuard<E> {
    TurnGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn turn_at<E: Engine>(_: E, _: Place) -> TurnGuard<E> {
    TurnGuard(PhantomData)
}

/// A guard of size zero: the checks are compiled out.
#[must_use = "if unused the call is over immediately"]
#[derive(Debug)]
pub struct AddonGuard<E: Engine>(PhantomData<(*const (), E)>);

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn addon<E: Engine>(_: E, _: AddonFunction) -> AddonGuard<E> {
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
pub fn gc<E: Engine>(_: E, _: GcPhase, _: Place) -> GcGuard<E> {
    GcGuard(PhantomData)
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn collection_begins<E: Engine>(_: E) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn collection_ends<E: Engine>(_: E) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn enter<E: Engine>(_: E, _: Place) {}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn exit<E: Engine>(_: E, _: Place) {}

/// Returns [`Action::Off`]: the checks are compiled out.
#[inline(always)]
pub fn action_of_sealed() -> Action {
    Action::Off
}

/// Returns [`Refused::Die`]: the checks are compiled out.
#[inline(always)]
pub fn handle_refused<E: Engine>(_: E, _: bool) -> Refused {
    Refused::Die
}

/// Does nothing: the checks are compiled out.
#[inline(always)]
pub fn end_isolate<E: Engine>(_: E) {}

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
