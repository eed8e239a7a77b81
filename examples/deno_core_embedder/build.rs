fn main() {
    if cfg!(feature = "hooks") {
        handleguard_build::link_hooks();
    }
}
