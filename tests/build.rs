//! Links the hooks if the tests are built with the feature `interpose`.

fn main() {
    if std::env::var_os("CARGO_FEATURE_INTERPOSE").is_some() {
        handleguard_build::link_hooks();
    }
}
