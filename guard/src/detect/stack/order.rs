//! Closes of scopes in order and out of it, and the verdict of `out-of-order`.

use super::ScopeStack;
use super::entry::{Entry, Kind};
use crate::describe::finding::Finding;
use crate::describe::rules::out_of_order::{ClosedTwice, OutOfOrder, StillOpen};
use crate::engine::ids::EntryId;

impl ScopeStack {
    /// Closes the scope `id`.
    #[inline]
    pub(crate) fn close_scope(&mut self, id: EntryId) -> Option<Finding> {
        if let Some(&Entry {
            id: innermost,
            kind: Kind::Scope(kind),
            ..
        }) = self.entries.last()
            && innermost == id
        {
            self.entries.pop();
            self.depth -= u32::from(kind.holds_handles());
            return None;
        }
        self.close_out_of_order(id)
    }

    #[cold]
    fn close_out_of_order(&mut self, id: EntryId) -> Option<Finding> {
        let Some(at) = self.position(id) else {
            // An orphan was reported when it left the record.
            if let Some(at) = self.orphans.iter().position(|orphan| orphan.id == id) {
                let orphan = self.orphans.remove(at);
                self.lower_levels(&orphan);
                return None;
            }
            self.closed_twice = true;
            return Some(Finding::ClosedTwice(ClosedTwice { number: id.0 }));
        };
        if matches!(self.entries[at].kind, Kind::Lost) {
            self.remove_from_between(at);
            return None;
        }
        let closing = self.scope_ref(&self.entries[at])?;
        let doubtful = self.turns.last().is_some_and(|turn| turn.doubtful);
        let inside = &self.entries[at + 1..];
        let innermost = inside.iter().rev().find_map(|entry| match entry.kind {
            Kind::Scope(_) => self.scope_ref(entry).map(StillOpen::Scope),
            Kind::Turn => self.turn_ref(entry.id).map(StillOpen::Turn),
            Kind::Callback | Kind::Lost => None,
        });
        let open = inside
            .iter()
            .filter(|entry| !matches!(entry.kind, Kind::Callback | Kind::Lost))
            .count();
        // What is inside ends with the scope: a scope there becomes an orphan, so that its own close is silent.
        self.truncate(at + 1);
        self.entries.pop();
        self.recount();
        // `None` if only callbacks are inside, whose guards were forgotten: they are in no order with scopes.
        innermost.filter(|_| !doubtful).map(|innermost| {
            Finding::OutOfOrder(OutOfOrder {
                closing,
                open: innermost,
                between: open - 1,
            })
        })
    }
}
