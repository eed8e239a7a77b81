//! The outermost scopes of an isolate at their close: while one is open, it encloses everything, and hides what lands in it.

use crate::describe::scope::ScopeKind;
use crate::place::Place;

/// How many handles an outermost scope must hold at its close to be worth a hint, if little else began in it.
const MANY: u64 = 64;

/// An outermost scope at its close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outermost {
    pub(crate) kind: ScopeKind,
    /// The opener, to be named later.
    pub(crate) place: Place,
    /// Scopes and calls that began in it.
    pub(crate) begun: u64,
    /// Handles in it.
    pub(crate) held: u64,
}

/// The greatest of the outermost scopes that have closed.
#[derive(Default, Debug)]
pub(crate) struct Greatest {
    scope: Option<Outermost>,
    /// Another one held more than half as many handles. A host that comes back to such scopes again and again closes them between
    /// its turns.
    has_rivals: bool,
}

impl Greatest {
    /// Adds a scope that is about to close. `keep` makes its opener a place that holds when the function has returned; it is called
    /// only if the scope is greater than those before.
    pub(crate) fn add(&mut self, scope: Outermost, keep: impl FnOnce(Place) -> Place) {
        match self.scope {
            Some(before) if before.held >= scope.held && before.begun >= scope.begun => {
                self.has_rivals |= 2 * scope.held > before.held;
            }
            before => {
                self.has_rivals = before.is_some_and(|before| 2 * before.held > scope.held);
                let place = keep(scope.place);
                self.scope = Some(Outermost { place, ..scope });
            }
        }
    }

    /// Returns the greatest if it enclosed nearly all that `begun` in the isolate, or held far more handles than any other.
    pub(crate) fn enclosing(&self, begun: u64) -> Option<Outermost> {
        let scope = self.scope?;
        let encloses_all = scope.begun >= 2 && scope.begun * 10 >= begun * 9;
        let holds_most = scope.held >= MANY && !self.has_rivals;
        (encloses_all || holds_most).then_some(scope)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The name of the scope that is worth a hint, of scopes with these numbers of what began in them, and of handles.
    fn enclosing(scopes: &[(&'static str, u64, u64)]) -> Option<&'static str> {
        let mut greatest = Greatest::default();
        for &(name, begun, held) in scopes {
            let scope = Outermost {
                kind: ScopeKind::HandleScope,
                place: Place::here(name),
                begun,
                held,
            };
            greatest.add(scope, |place| place);
        }
        let begun = scopes.iter().map(|(_, begun, _)| begun + 1).sum();
        greatest.enclosing(begun)?.place.name
    }

    #[test]
    fn a_scope_that_encloses_all_is_worth_a_hint() {
        assert_eq!(enclosing(&[("main", 20, 3)]), Some("main"));
        assert_eq!(enclosing(&[("setup", 1, 9), ("main", 60, 3)]), Some("main"));
        assert_eq!(enclosing(&[("script", 1, 3)]), None, "one call");
    }

    #[test]
    fn a_scope_that_holds_far_more_than_any_other_is_worth_a_hint() {
        assert_eq!(
            enclosing(&[("setup", 1, 9), ("main", 0, 300)]),
            Some("main")
        );
        assert_eq!(enclosing(&[("setup", 1, 9), ("main", 0, 63)]), None);
    }

    #[test]
    fn scopes_that_close_between_turns_are_not() {
        assert_eq!(enclosing(&[("request", 3, 100); 10]), None);
        let growing = [("request", 3, 80), ("request", 3, 90), ("request", 3, 100)];
        assert_eq!(enclosing(&growing), None);
    }
}
