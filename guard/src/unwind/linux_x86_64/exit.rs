//! Whether the program has called C's `exit`, which destroys the locals of the calling thread while its frames stay where they are.
#![expect(unsafe_code, reason = "asks the loader for the module of an address")]

use super::loaded_modules::function_start;
use std::mem::MaybeUninit;
use std::ptr;

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

/// The address at which the module of `address` begins. 0 if no module has it.
fn module_of(address: usize) -> usize {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: looks the address up, and takes any; writes the structure if it finds a module, and all zero is a value of it too.
    #[expect(clippy::disallowed_methods, reason = "an address to look up")]
    let info = unsafe {
        libc::dladdr(ptr::without_provenance(address), info.as_mut_ptr());
        info.assume_init()
    };
    info.dli_fbase.addr()
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
