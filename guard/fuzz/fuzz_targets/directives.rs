//! A value of `HANDLEGUARD`: it is applied, or refused with an error that can be shown.
#![no_main]

use handleguard::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::new().with_directives(text) {
        let shown = error.to_string();
        assert!(!shown.is_empty());
    }
});
