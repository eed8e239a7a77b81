//! Guards that no Rust value owns: what is open is named by a number, for a caller in another language.

use crate::engine::ids::EntryId;
use crate::engine::interface::Engine;
use crate::guards::callback::CallbackGuard;
use crate::guards::scope::ScopeGuard;
use crate::guards::turn::TurnGuard;
use crate::thread::state::ThreadState;
use std::marker::PhantomData;

/// Whether what `id` names is still open on this thread. What was opened inside something that has ended is not.
pub fn is_open<E: Engine>(engine: E, id: EntryId) -> bool {
    ThreadState::with(|thread| thread.existing_stack(engine.isolate(), |stack| stack.is_open(id)))
        .flatten()
        .unwrap_or(false)
}

macro_rules! detach {
    ($($guard: ident)*) => { $(
        impl<E: Engine> $guard<E> {
            /// Leaves it open, without a guard; [`attach`](Self::attach) gives the guard back. `None` where there is nothing to
            /// close: every rule is off.
            pub fn detach(mut self) -> Option<EntryId> {
                let id = std::mem::replace(&mut self.id, EntryId::NONE);
                (id != EntryId::NONE).then_some(id)
            }

            /// The guard of what is open in `engine` under that `id`. An `id` of something else closes nothing, and is an
            /// `out-of-order` violation where it is to close a scope.
            pub fn attach(engine: E, id: EntryId) -> Self {
                // Has the stack told of everything: it knows what `id` is of.
                is_open(engine, id);
                Self {
                    engine,
                    id,
                    _not_send: PhantomData,
                }
            }
        }
    )* };
}

detach!(ScopeGuard CallbackGuard);

impl<E: Engine> TurnGuard<E> {
    /// Leaves it open, without a guard and without a seal; [`attach`](Self::attach) gives the guard back. `None` where there is
    /// nothing to end: every rule is off.
    pub fn detach(mut self) -> Option<EntryId> {
        let (engine, id) = self.held.take()?;
        if self.sealed {
            engine.unseal(id);
        }
        Some(id)
    }

    /// The guard of the turn that is open in `engine` under that `id`. An `id` of something else ends nothing.
    pub fn attach(engine: E, id: EntryId) -> Self {
        Self {
            held: Some((engine, id)),
            sealed: false,
            _not_send: PhantomData,
        }
    }
}

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
