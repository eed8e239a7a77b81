//! Prints the `rustflags` that link handleguard's hooks, for `.cargo/config.toml`.

fn main() {
    print!("{}", handleguard_build::config_toml());
}
