use crate::status::{Failure, Status, guarded};
use handleguard::{Config, InitError};
use std::ffi::{CStr, c_char};

/// The version of this header. A library of another version may be incompatible: compare this with `handleguard_abi_version()`.
pub const HANDLEGUARD_ABI_VERSION: u32 = 1;

/// Returns the version that the library was built with.
#[unsafe(no_mangle)]
pub extern "C" fn handleguard_abi_version() -> u32 {
    HANDLEGUARD_ABI_VERSION
}

/// Starts the checker with `directives`, or with the defaults if it is null. The syntax is that of the environment variable
/// `HANDLEGUARD`, as in `"log,missing-scope=abort,tick=60s"`, and the variable overrides them. If the host does not call this, the
/// first guard starts the checker with the defaults and the variable.
///
/// # Safety
///
/// `directives` is null, or a string that ends with 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn handleguard_init(directives: *const c_char) -> Status {
    guarded("handleguard_init", || {
        let mut config = Config::new();
        if !directives.is_null() {
            // SAFETY: not null, so a string that ends with 0: required by this fn.
            let directives = unsafe { CStr::from_ptr(directives) };
            let directives = directives.to_str().map_err(|_| {
                Failure::new(
                    Status::Directive,
                    format_args!("`{}` is not Unicode", directives.to_string_lossy()),
                )
            })?;
            config = config
                .with_directives(directives)
                .map_err(|error| Failure::new(Status::Directive, error))?;
        }
        config.try_init().map_err(|error| match error {
            InitError::AlreadyStarted => Failure::new(
                Status::Started,
                "handleguard is already running: call it once, before anything else",
            ),
            error => Failure::new(Status::Directive, error),
        })
    })
}
