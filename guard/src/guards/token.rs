//! Guards as numbers: a caller in another language keeps the id of what is open, and no Rust value.

use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::callback::CallbackGuard;
use crate::guards::scope::ScopeGuard;
use crate::guards::turn::TurnGuard;
use crate::thread::state::ThreadState;

/// Whether the scope, callback or turn `id` is still open on this thread. The end of an outer one ends those inside it.
pub fn is_open<E: Engine>(engine: E, id: EntryId) -> bool {
    ThreadState::with(|thread| thread.existing_record(engine.isolate(), |stack| stack.is_open(id)))
        .flatten()
        .unwrap_or(false)
}

macro_rules! token {
    ($($guard: ident)*) => { $(
        impl<E: Engine> $guard<E> {
            /// Leaves it open, without a guard; [`attach`](Self::attach) returns the guard. `None` if there is nothing to
            /// close: every rule is off. A sealed turn loses its seal.
            pub fn detach(self) -> Option<EntryId> {
                let id = self.into_id();
                (id != EntryId::NONE).then_some(id)
            }

            /// The guard of what is open in `engine` under `id`. The id of something else closes nothing; where it is to
            /// close a scope, that is an `out-of-order` violation.
            pub fn attach(engine: E, id: EntryId) -> Self {
                // Flushes the pending log: the scope stack knows what `id` names, the log only its innermost entry.
                is_open(engine, id);
                Self::of(engine, id)
            }
        }
    )* };
}

token!(ScopeGuard CallbackGuard TurnGuard);

#[cfg(all(test, feature = "testing", not(loom)))]
mod tests {
    use super::*;
    use crate::config::rule::Rule;
    use crate::engine::fake::Fake;
    use crate::engine::ids::IsolateId;
    use crate::guards::scope::scope;
    use crate::guards::turn::turn;
    use crate::testing;

    #[test]
    fn what_is_detached_stays_open_until_it_is_attached_again() {
        let fake = Fake::new(IsolateId(0xde7a));
        let outcome = testing::run(|| {
            let turn = turn(fake, None).detach().unwrap();
            let scope = scope(fake, None).detach().unwrap();
            assert!(is_open(fake, turn) && is_open(fake, scope));
            assert_eq!(crate::depth(), 1);
            drop(ScopeGuard::attach(fake, scope));
            assert!(is_open(fake, turn) && !is_open(fake, scope));
            drop(TurnGuard::attach(fake, turn));
            assert!(!is_open(fake, turn));
        });
        assert!(outcome.violations.is_empty());
    }

    #[test]
    fn a_scope_that_is_not_open_is_closed_twice() {
        let fake = Fake::new(IsolateId(0xde7b));
        let outcome = testing::run(|| {
            let scope = scope(fake, None).detach().unwrap();
            drop(ScopeGuard::attach(fake, scope));
            drop(ScopeGuard::attach(fake, scope));
        });
        let [violation] = &outcome.violations[..] else {
            panic!("{:?}", outcome.violations);
        };
        assert_eq!(violation.rule(), Rule::OutOfOrder);
    }
}
