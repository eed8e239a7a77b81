//! The twin of `linux_x86_64` for every other target. No stack is walked here: [`capture`](crate::unwind::capture) uses the
//! unwinder that panics use, and a place that is known only by an address inside its stack frame keeps that address.

use crate::unwind::truncated::Truncated;

/// Describes capture by unwind tables in the start-up line.
pub(crate) const BY_TABLES: &str = "by unwind tables; they end where JavaScript begins";

/// Stands for the registers that a walk starts from.
#[derive(Clone, Copy)]
pub(crate) struct Registers;

impl Registers {
    pub(crate) const fn here() -> Self {
        Self
    }
}

/// Returns `false`: no stack is walked by frame pointers.
pub(crate) fn walk_frame_pointers(_: Registers, _: impl FnMut(usize) -> bool) -> bool {
    false
}

/// Returns `None`: no stack is walked by unwind tables from given registers.
pub(crate) fn walk_tables(_: Registers, _: impl FnMut(usize) -> bool) -> Option<Option<Truncated>> {
    None
}

/// Whether the two stacks are equal so far.
pub(crate) fn may_be_same_stack(by_pointers: &[usize], by_tables: &[usize]) -> bool {
    by_pointers.starts_with(by_tables)
}

/// Whether the two stacks are equal.
pub(crate) fn same_stack(by_pointers: &[usize], by_tables: &[usize]) -> bool {
    by_pointers == by_tables
}

/// Returns all addresses: which of them lie in a loaded file is not known.
pub(crate) fn loaded(ips: &[usize]) -> impl Iterator<Item = usize> + '_ {
    ips.iter().copied()
}

/// Returns no address: the extent of a stack frame is not known.
pub(crate) fn frames_from(_: usize, _: usize) -> Vec<usize> {
    Vec::new()
}

/// Returns `false`: the function of an address is not known.
pub(crate) fn program_called_exit(_: &[usize]) -> bool {
    false
}

/// Returns `None`: the start of a function is not known.
pub(crate) fn function_start(_: usize) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_walked() {
        let registers = Registers::here();
        assert!(!walk_frame_pointers(registers, |_| true));
        assert_eq!(walk_tables(registers, |_| true), None);
        assert!(same_stack(&[1], &[1]));
        assert!(!same_stack(&[1], &[2]));
        assert!(may_be_same_stack(&[1, 2], &[1]) && !may_be_same_stack(&[1], &[2]));
        assert_eq!(frames_from(0, 1), [0; 0]);
        assert_eq!(function_start(1), None);
        assert!(loaded(&[1, 2]).eq([1, 2]));
        assert!(!program_called_exit(&[1]));
        assert!(BY_TABLES.starts_with("by unwind tables"));
    }
}
