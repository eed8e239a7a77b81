//! Whether the program has called C's `exit`, which destroys the locals of the calling thread while its frames stay where they are.

use super::loaded_modules::function_start;
use super::loaded_object::LoadedObject;

/// Whether a function of the program has called `exit` on the stack `ips`, innermost first. `false` where `main` has returned, for
/// then the C library calls it.
pub(crate) fn program_called_exit(ips: &[usize]) -> bool {
    let exit = (libc::exit as *const ()).addr();
    // The unwinder ends a stack with 0.
    let of_exit = ips
        .iter()
        .position(|&ip| ip != 0 && function_start(ip) == Some(exit));
    let caller = of_exit.and_then(|at| ips.get(at + 1));
    caller.is_some_and(|&ip| ip != 0 && module_of(ip - 1) != module_of(exit))
}

/// The bias of the module of `address`, which is on the stack or in the C library. 0 if no module has it, and for a program that is
/// linked to be loaded at fixed addresses.
fn module_of(address: usize) -> usize {
    LoadedObject::at(address).map_or(0, |object| object.bias())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_is_known_by_its_address_and_its_caller_by_its_module() {
        fn of_the_program() {}
        let inside = |function: *const ()| function.addr() + 8;
        let program = inside(of_the_program as *const ());
        let exit = inside(libc::exit as *const ());
        let libc = inside(libc::abort as *const ());
        assert!(program_called_exit(&[libc, exit, program]));
        assert!(
            !program_called_exit(&[libc, exit, libc, program]),
            "`main` has returned"
        );
        assert!(!program_called_exit(&[libc, program, 0]));
        assert!(!program_called_exit(&[exit]) && !program_called_exit(&[exit, 0]));
        assert_eq!(module_of(1), 0);
    }
}
