//! The remedy of each finding, as code that compiles in the user's program where it can be.

use crate::detect::finding::{Beginning, Finding, GcPhase};
use crate::engine::wording::Wording;
use std::fmt;

/// One sentence: what to do.
pub(crate) struct Help<'a>(pub(crate) &'a Finding, pub(crate) &'static Wording);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open_scope = self.1.open_scope;
        match self.0 {
            Finding::MissingScope { callback, .. } => match callback.name {
                Some(name) => write!(f, "open a scope on entry to `{name}`: `{open_scope}`"),
                None => write!(f, "open a scope before the call: `{open_scope}`"),
            },
            Finding::OuterGrowth { .. } => write!(
                f,
                "open a scope before the first handle is made, and escape none that nobody uses: `{open_scope}`"
            ),
            Finding::ScopeBudget { .. } => write!(
                f,
                "open a scope for each round of the loop that makes them, an escapable one where a value must come out of it: `{open_scope}`"
            ),
            Finding::Sealed { .. } => write!(
                f,
                "open a scope before the handle is made, in the function that the loop calls: `{open_scope}`"
            ),
            Finding::OutOfOrder { .. } => f.write_str(
                "close scopes in the reverse order of opening: keep each as a local of one block, not in a field or a `Box`",
            ),
            Finding::ClosedTwice { .. } => {
                f.write_str("close each scope once: do not copy what owns it")
            }
            Finding::StorageReused { .. } => {
                f.write_str("give each scope memory of its own, or close the first before")
            }
            Finding::NeverClosed { .. } => f.write_str(
                "let the scope end with its block: no `mem::forget`, and no way out that skips its close",
            ),
            Finding::WrongThread {
                beginning: Beginning::Exit,
                ..
            } => f.write_str("leave an isolate once for each time that it was entered on this thread"),
            Finding::WrongThread { .. } => f.write_str(
                "enter the isolate on this thread first, once the other has left it (`Isolate::enter`, `exit`)",
            ),
            Finding::WrongIsolate {
                beginning: Beginning::Exit,
                ..
            } => f.write_str("leave isolates in the reverse order of entering them"),
            Finding::WrongIsolate { .. } => f.write_str(
                "enter the isolate first, and leave it before the other goes on (`Isolate::enter`, `exit`)",
            ),
            Finding::InGc {
                phase: GcPhase::Teardown,
                ..
            } => f.write_str("do it before the isolate is torn down"),
            Finding::InGc {
                phase: GcPhase::SecondPass,
                ..
            } => f.write_str(
                "the engine forbids it there, and ends the process: call from a task or turn of its own, after the collection",
            ),
            Finding::InGc { .. } => f.write_str(
                "only note there what is to be done, and do it in a task or turn of its own, after the collection",
            ),
            Finding::RedundantScope { .. } => f.write_str(
                "remove the scope, if what runs in it is never meant to make a handle",
            ),
            Finding::Desync { .. } => f.write_str(
                "nobody is accused; a scope was closed that no guard saw close: drop each guard with its scope",
            ),
        }
    }
}
