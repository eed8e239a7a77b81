/// Called at each violation of a rule that is not off, before anything else is done about it: a function to break on in a
/// debugger, with the whole stack still there.
///
/// ```text
/// gdb -ex 'set breakpoint pending on' -ex 'break handleguard_on_violation' -ex run --args ./host
/// ```
///
/// The name is stable, and the function is never inlined.
#[expect(
    unsafe_code,
    reason = "a name that a debugger finds; nothing else has it"
)]
// SAFETY: no other symbol of a program begins with the crate's name and means something else.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn handleguard_on_violation() {
    // Not empty, or all empty functions of the program could be folded into one.
    std::hint::black_box(handleguard_on_violation as *const ());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debugger_finds_it_by_its_name() {
        let mut names = Vec::new();
        // One byte in: `resolve` takes a return address, and looks before it.
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
