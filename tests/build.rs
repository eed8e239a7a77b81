//! Links the hooks, where the tests are to run with them.

fn main() {
    if std::env::var_os("CARGO_FEATURE_INTERPOSE").is_some() {
        handleguard_build::link_hooks();
    }
}
