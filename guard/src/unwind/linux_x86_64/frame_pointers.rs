//! Walks a stack by frame pointers. A function that keeps a frame pointer stores its caller's where its own points to, and the
//! return address in the word above (System V ABI for x86-64, 3.2.2).
//!
//! A walk takes a few nanoseconds, and crosses compiled JavaScript and the engine's builtins, which keep frame pointers. At a
//! function that keeps none (the user's, without `-Cforce-frame-pointers=yes`), the chain skips a frame or leads astray. It
//! also skips the function that a signal interrupted. It only ever leads up this thread's stack, so the result is at worst wrong;
//! [`same_stack`] compares it with a walk by tables.

use super::stack_memory::{Registers, StackBounds};

/// Passes each instruction pointer from `registers` outwards to `frame`, until that returns `false`. Returns `false` if the
/// thread does not run on its own stack.
#[inline]
pub(crate) fn walk(registers: Registers, mut frame: impl FnMut(usize) -> bool) -> bool {
    let Some(stack) = StackBounds::from(registers.sp) else {
        return false;
    };
    let mut ip = registers.ip;
    let mut pointer = registers.fp;
    while ip != 0 && frame(ip) {
        let Some([outer, back]) = stack.pair(pointer) else {
            break;
        };
        ip = back;
        // Callers lie higher: no chain goes round in a circle.
        pointer = if outer > pointer { outer } else { 0 };
    }
    true
}

/// How many frames the C library has below `main` or a thread's function. It is built without frame pointers.
const OF_THE_C_LIBRARY: usize = 3;

/// Whether a walk by frame pointers gave the same stack as a walk by tables. The frames in which the C library starts the
/// thread may differ.
pub(crate) fn same_stack(by_pointers: &[usize], by_tables: &[usize]) -> bool {
    common(by_pointers, by_tables) > OF_THE_C_LIBRARY && may_be_same_stack(by_pointers, by_tables)
}

/// Whether that may still come out, of a walk by tables that has come as far as `by_tables`.
pub(crate) fn may_be_same_stack(by_pointers: &[usize], by_tables: &[usize]) -> bool {
    common(by_pointers, by_tables) + OF_THE_C_LIBRARY >= by_tables.len()
}

/// How many inner frames the two have in common.
fn common(by_pointers: &[usize], by_tables: &[usize]) -> usize {
    let pairs = by_pointers.iter().zip(by_tables);
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_that_differ_only_where_the_c_library_starts_the_thread_are_the_same() {
        assert!(same_stack(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]));
        assert!(same_stack(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(same_stack(&[1, 2, 3, 4, 5, 90, 91], &[1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn a_stack_that_ends_early_or_goes_astray_is_not_the_same() {
        assert!(!same_stack(&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(
            !same_stack(&[1, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6]),
            "one frame skipped"
        );
        assert!(!same_stack(&[1], &[1]), "a stack that short proves nothing");
        assert!(!same_stack(&[], &[]));
    }

    #[test]
    fn a_walk_by_tables_goes_on_only_while_it_may_be_the_same_stack() {
        let pointers = [1, 2, 3, 9, 9];
        let tables = [1, 2, 3, 4, 5, 6, 7, 8];
        let goes_on = |frames: usize| may_be_same_stack(&pointers, &tables[..frames]);
        assert_eq!((0..=tables.len()).filter(|&it| goes_on(it)).max(), Some(6));
        assert!((0..=6).all(goes_on));
    }

    #[test]
    fn a_chain_that_leads_nowhere_ends() {
        let mut registers = Registers::here();
        for astray in [0, 1, 8, usize::MAX, usize::MAX - 7, registers.sp - 4096] {
            registers.fp = astray;
            let mut frames = 0;
            assert!(walk(registers, |_| {
                frames += 1;
                true
            }));
            assert_eq!(frames, 1, "from {astray:#x}");
        }
    }

    #[test]
    fn a_chain_that_points_at_itself_ends() {
        let mut circle = [0, 0xabc];
        circle[0] = (&raw const circle).addr();
        let mut registers = Registers::here();
        registers.fp = circle[0];
        let mut ips = Vec::new();
        walk(registers, |ip| {
            ips.push(ip);
            true
        });
        assert_eq!(ips, [registers.ip, 0xabc]);
    }
}
