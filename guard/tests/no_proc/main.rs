//! A process without `/proc`. The stack of the main thread is the one whose bounds glibc reads there, and the usual harness has a
//! thread for each test, so there is a `main` here.

#[path = "../common/mod.rs"]
mod common;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux_x86_64;

fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if handleguard::COMPILED_IN {
        linux_x86_64::main();
    }
}
