//! Tests that both twins of the API agree.

use crate::config::action::Action;
use crate::config::addon::AddonFunction;
use crate::config::settings::Config;
use crate::describe::gc_phase::GcPhase;
use crate::describe::scope::ScopeKind;
use crate::engine::fake::Fake;
use crate::engine::ids::{EntryId, IsolateId};
use crate::place::Place;
use crate::process::global::InitError;
use crate::record::report::Report;
use crate::switch::{off, on};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

type Name = Option<&'static str>;
type Caller = &'static Location<'static>;

/// Checks the guards of one twin, and the functions whose types name a guard.
macro_rules! check_guards_of {
    ($twin: ident) => {{
        type Guard<T> = fn(Fake, Name) -> T;

        let _: Guard<$twin::ScopeGuard<Fake>> = $twin::scope;
        let _: fn(Fake, &'static str) -> $twin::ScopeGuard<Fake> = $twin::scope;
        let _: fn(Fake, ScopeKind, Place) -> $twin::ScopeGuard<Fake> = $twin::scope_at;
        let _: fn(Fake, ScopeKind, Name, Caller) -> Option<$twin::ScopeGuard<Fake>> =
            $twin::scope_fast;
        let _: fn($twin::ScopeGuard<Fake>) -> Option<EntryId> = $twin::ScopeGuard::detach;
        let _: fn(Fake, EntryId) -> $twin::ScopeGuard<Fake> = $twin::ScopeGuard::attach;

        let _: Guard<$twin::CallbackGuard<Fake>> = $twin::callback;
        let _: fn(Fake, &'static str) -> $twin::CallbackGuard<Fake> = $twin::callback;
        let _: fn(Fake, Place, fn() -> Option<String>) -> $twin::CallbackGuard<Fake> =
            $twin::callback_at;
        let _: fn(Fake, Name, Caller) -> Option<$twin::CallbackGuard<Fake>> = $twin::callback_fast;
        let _: Guard<$twin::CallbackGuard<Fake>> = $twin::checkpoint;
        let _: fn(Fake, Place) -> $twin::CallbackGuard<Fake> = $twin::checkpoint_at;
        let _: fn($twin::CallbackGuard<Fake>) -> Option<EntryId> = $twin::CallbackGuard::detach;
        let _: fn(Fake, EntryId) -> $twin::CallbackGuard<Fake> = $twin::CallbackGuard::attach;

        let _: Guard<$twin::TurnGuard<Fake>> = $twin::turn;
        let _: fn(Fake, &'static str) -> $twin::TurnGuard<Fake> = $twin::turn;
        let _: fn(Fake, Place) -> $twin::TurnGuard<Fake> = $twin::turn_at;
        let _: fn($twin::TurnGuard<Fake>) -> Option<EntryId> = $twin::TurnGuard::detach;
        let _: fn(Fake, EntryId) -> $twin::TurnGuard<Fake> = $twin::TurnGuard::attach;

        let _: fn(Fake, GcPhase, Place) -> $twin::GcGuard<Fake> = $twin::gc;
        let _: fn(Fake, AddonFunction) -> $twin::AddonGuard<Fake> = $twin::addon;

        fn is_debug<T: Debug>() {}
        is_debug::<$twin::ScopeGuard<Fake>>();
        is_debug::<$twin::CallbackGuard<Fake>>();
        is_debug::<$twin::TurnGuard<Fake>>();
        is_debug::<$twin::GcGuard<Fake>>();
        is_debug::<$twin::AddonGuard<Fake>>();
    }};
}

// The compiler is what checks: with another signature in one twin, this does not compile.
#[test]
fn both_twins_have_the_same_signatures() {
    check_guards_of!(on);
    check_guards_of!(off);

    // Functions whose types name no guard: one type for both.
    let _: [bool; 2] = [on::COMPILED_IN, off::COMPILED_IN];
    let _: [fn(Fake, EntryId) -> bool; 2] = [on::is_open, off::is_open];
    let _: [fn(Fake); 2] = [on::collection_begins, off::collection_begins];
    let _: [fn(Fake, bool); 2] = [on::collection_ends, off::collection_ends];
    let _: [fn(Fake, Place); 2] = [on::enter, off::enter];
    let _: [fn(Fake, Place); 2] = [on::exit, off::exit];
    let _: [fn(Fake); 2] = [on::end_isolate, off::end_isolate];
    let _: [fn(Place); 2] = [on::turn_in_no_isolate, off::turn_in_no_isolate];
    let _: [fn() -> Action; 2] = [on::action_of_sealed, off::action_of_sealed];
    let _: [fn(Fake, bool) -> _; 2] = [on::handle_refused, off::handle_refused];
    let _: [fn() -> bool; 2] = [on::is_on, off::is_on];
    let _: [fn() -> u32; 2] = [on::depth, off::depth];
    let _: [fn() -> Report; 2] = [on::report, off::report];
    let _: [fn(Duration) -> bool; 2] = [on::flush, off::flush];
    let _: [fn() -> (Report, Report); 2] = [on::tick, off::tick];
    let _: [fn(Config) -> Result<(), InitError>; 2] = [on::try_init, off::try_init];
}

/// The identifier at the start of `text`.
fn identifier(text: &str) -> String {
    let is_part = |part: &char| part.is_alphanumeric() || *part == '_';
    text.chars().take_while(is_part).collect()
}

/// The names that a twin makes public: those of its public items, and those that it exports again.
fn public_names(source: &str) -> BTreeSet<String> {
    let items = source.lines().filter_map(|line| line.strip_prefix("pub "));
    let items = items.filter_map(|item| item.split_once(' '));
    let items = items.filter(|(kind, _)| *kind != "use");
    let uses = source.split("pub use ").skip(1);
    let exported = uses
        .map(|rest| rest.split_once(';').expect("a statement").0)
        .flat_map(|path| {
            let names = path.rsplit("::").next().expect("a path");
            names.trim_matches(['{', '}']).split(',').map(str::trim)
        })
        .filter(|name| !name.is_empty());
    items
        .map(|(_, name)| identifier(name))
        .chain(exported.map(str::to_owned))
        .collect()
}

/// The names that this file checks in one twin, which it writes after `prefix`.
fn checked_names(prefix: &str) -> impl Iterator<Item = String> {
    include_str!("twins.rs")
        .split(prefix)
        .skip(1)
        .map(identifier)
}

#[test]
fn both_twins_have_the_same_names_and_every_name_is_checked_here() {
    let on = public_names(include_str!("on.rs"));
    let off = public_names(include_str!("off.rs"));
    assert!(
        on.contains("TurnGuard") && on.contains("try_init"),
        "{on:?}"
    );
    assert_eq!(on, off);
    let checked: BTreeSet<_> = checked_names("$twin::")
        .chain(checked_names("[on::"))
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(checked, on);
}

#[test]
fn the_macro_expands_to_the_branch_of_the_twin_that_is_compiled_in() {
    let branch = crate::__if_compiled_in!({ "on" } else { "off" });
    assert_eq!(branch == "on", crate::switch::COMPILED_IN);
}

#[test]
fn guards_that_are_compiled_out_take_no_room() {
    assert_eq!(size_of::<off::ScopeGuard<Fake>>(), 0);
    assert_eq!(size_of::<off::CallbackGuard<Fake>>(), 0);
    assert_eq!(size_of::<off::TurnGuard<Fake>>(), 0);
    assert_eq!(size_of::<off::GcGuard<Fake>>(), 0);
    assert_eq!(size_of::<off::AddonGuard<Fake>>(), 0);
}

#[test]
fn guards_that_are_compiled_out_have_nothing_to_detach() {
    let fake = Fake::new(IsolateId(0x5317c3));
    assert_eq!(off::scope(fake, None).detach(), None);
    assert_eq!(off::callback(fake, "bare").detach(), None);
    assert_eq!(off::turn(fake, None).detach(), None);
}

#[cfg(all(feature = "testing", not(loom)))]
mod running {
    use super::*;
    use crate::config::rule::Rule;
    use crate::testing;

    #[test]
    fn a_bare_callback_is_a_violation_to_one_twin_and_nothing_to_the_other() {
        let fake = Fake::new(IsolateId(0x5317c4));
        let with_checks = testing::run(|| {
            let _turn = on::turn(fake, None);
            let _callback = on::callback(fake, "bare");
        });
        let rules: Vec<_> = with_checks
            .violations
            .iter()
            .map(|one| one.rule())
            .collect();
        assert_eq!(rules, [Rule::MissingScope]);
        let without_checks = testing::run(|| {
            let _seen = on::scope(fake, None);
            let _turn = off::turn(fake, None);
            let _callback = off::callback(fake, "bare");
        });
        assert!(without_checks.violations.is_empty());
    }

    #[test]
    fn a_scope_that_is_compiled_out_is_not_recorded() {
        let fake = Fake::new(IsolateId(0x5317c5));
        let outcome = testing::run(|| {
            let _recorded = on::scope(fake, None);
            let _not_recorded = off::scope(fake, None);
            assert_eq!(on::depth(), 1);
        });
        assert!(outcome.violations.is_empty());
    }
}
