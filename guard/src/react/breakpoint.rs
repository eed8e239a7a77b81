/// A function to break on in a debugger. The checker calls it at each violation of a rule that is not off, before it takes the
/// action, so that the debugger shows the whole stack of the violation.
///
/// ```text
/// gdb -ex 'set breakpoint pending on' -ex 'break handleguard_on_violation' -ex run --args ./host
/// ```
///
/// The name is stable, and the function is never inlined.
#[expect(
    unsafe_code,
    reason = "`no_mangle`: a debugger finds the function by this name"
)]
// SAFETY: the name begins with the crate's own, so that no other symbol of the program has it; the linker refuses a second
// definition.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn handleguard_on_violation() {
    // With an empty body, the linker could fold this function and other empty ones into one.
    std::hint::black_box(handleguard_on_violation as *const ());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debugger_finds_the_function_by_its_name() {
        let mut names = Vec::new();
        // `resolve` takes a return address and looks up the instruction before it, so one byte in.
        let inside = (handleguard_on_violation as *mut std::ffi::c_void).wrapping_byte_add(1);
        backtrace::resolve(inside, |symbol| {
            names.extend(symbol.name().map(|name| name.to_string()));
        });
        assert!(
            names
                .iter()
                .any(|name| name.ends_with("handleguard_on_violation")),
            "{names:?}"
        );
    }
}
