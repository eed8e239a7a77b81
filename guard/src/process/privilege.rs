//! Whether the program trusts its environment. A program that runs with more rights than the user who started it, as a
//! set-user-id program does, must not: that user could switch the checks off, or have a rule end the program.

use crate::config::settings::VARIABLE;
use crate::react::stderr;
use crate::sync::real::{AtomicBool, Ordering};
use std::ffi::OsString;

/// Reads the variable `HANDLEGUARD`. In a program that runs with more rights than its user, prints once that the variable is
/// ignored, if it is set, and returns `None`.
pub(crate) fn directives() -> Option<OsString> {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    let directives = std::env::var_os(VARIABLE)?;
    if !has_more_rights_than_its_user() {
        return Some(directives);
    }
    if !REPORTED.swap(true, Ordering::Relaxed) {
        stderr::print(format_args!(
            "handleguard: {VARIABLE} is ignored, because this program runs with more rights than its user (AT_SECURE)\n"
        ));
    }
    None
}

/// Returns what the kernel decided when it started the program: by the bits set-user-id and set-group-id, by capabilities of
/// the file, or by a security module (`getauxval(3)`, `AT_SECURE`).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "std does not read the auxiliary vector")]
fn has_more_rights_than_its_user() -> bool {
    // SAFETY: looks up a number in a table that the kernel gave the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether the program's effective user or group is another than its real one.
#[cfg(all(unix, not(target_os = "linux")))]
#[expect(unsafe_code, reason = "std does not ask for ids")]
fn has_more_rights_than_its_user() -> bool {
    // SAFETY: the four functions always succeed, and read no memory of this process.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Returns `false`: there are no set-user-id programs.
#[cfg(not(unix))]
const fn has_more_rights_than_its_user() -> bool {
    false
}
