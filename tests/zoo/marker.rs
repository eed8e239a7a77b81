//! The places that a report must name, marked in the source: `//~ walmart callback` at the end of a line; several
//! with commas.

use std::fmt;

/// A line of a specimen's file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marked {
    pub file: &'static str,
    pub line: usize,
}

impl Marked {
    /// The line as in a stack, whose paths are relative to the package.
    pub fn in_package(&self) -> String {
        let shown = self.to_string();
        shown.strip_prefix("tests/").unwrap_or(&shown).to_owned()
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The line of `source` that is marked as the `role` of `specimen`.
pub fn find(file: &'static str, source: &str, specimen: &str, role: &str) -> Option<Marked> {
    let marker = format!("{specimen} {role}");
    let is_marked = |line: &str| {
        line.split_once("//~ ")
            .is_some_and(|(_, markers)| markers.split(", ").any(|other| other == marker))
    };
    let mut lines = source.lines().zip(1..).filter(|(line, _)| is_marked(line));
    let (_, line) = lines.next()?;
    assert!(lines.next().is_none(), "{file}: `{marker}` stands twice");
    Some(Marked { file, line })
}
