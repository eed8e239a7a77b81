//! A function at an address, and its name as reports show it.

use crate::foreign_text::{MAX_FOREIGN_TEXT, foreign_text};
use backtrace::SymbolName;
use std::fmt::{self, Write};
use std::path::PathBuf;

/// One function at an address, as the symbols and debug information of its file have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    /// The function's name, demangled.
    pub(crate) name: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) line: Option<u32>,
}

/// Demangles a name, in the form without a hash.
pub(crate) fn demangled(name: &SymbolName<'_>) -> String {
    let mut start = Start(String::new());
    // A few bytes of a mangled name may stand for megabytes. An error only says that the rest is not needed.
    let _ = write!(start, "{name:#}");
    foreign_text(&start.0)
}

/// The start of a text: enough for [`foreign_text`].
struct Start(String);

impl Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.len() > MAX_FOREIGN_TEXT {
                return Err(fmt::Error);
            }
            self.0.push(character);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        demangled(&SymbolName::new(name.as_bytes()))
    }

    #[test]
    fn names_of_rust_and_cpp_are_demangled_without_a_hash() {
        for (name, expected) in [
            ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            (
                "_ZN2v88internal7Isolate3NewEv",
                "v8::internal::Isolate::New()",
            ),
            ("Builtins_JSEntry", "Builtins_JSEntry"),
            ("main", "main"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }

    #[test]
    fn a_name_is_harmless_and_short_whatever_its_file_holds() {
        assert_eq!(shown("a\n\u{1b}[31mb"), r"a\n\u{1b}[31mb");
        let long = shown(&"x".repeat(1 << 20));
        assert_eq!(long, format!("{}…", "x".repeat(256)));
        // Each `S_` stands for all that precedes it.
        let exponential = format!("_Z1f{}", "St4pairIS_S_E".repeat(40));
        assert!(shown(&exponential).len() < 300);
        // Of type parameters that contain each other.
        let deep = format!("_ZN1aI{}iE1fEv", "1bI".repeat(500));
        assert!(shown(&deep).len() < 300);
    }
}
