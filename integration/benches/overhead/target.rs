//! Where the bench writes.

use std::path::{Path, PathBuf};

/// Cargo's target directory, in which this binary is `<target>/release/deps/overhead-...`.
pub fn folder() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| exe.ancestors().nth(3).map(Path::to_owned))
        .unwrap_or_else(|| "target".into())
}
