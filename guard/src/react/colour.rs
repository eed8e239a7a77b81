//! Colours of messages on stderr: on a terminal only, and not if `NO_COLOR` is set (<https://no-color.org>).

use crate::sync::real::{AtomicBool, Ordering};
use std::fmt::{self, Write};
use std::io::IsTerminal;

/// Whether stderr takes colours. Set once, when the checker starts, so that a dying process does not read its environment.
static ON: AtomicBool = AtomicBool::new(false);

const BOLD_RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// Decides whether messages on stderr are coloured from now on.
pub(crate) fn detect() {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    ON.store(
        !unwanted && std::io::stderr().is_terminal(),
        Ordering::Relaxed,
    );
}

/// A text whose first line is coloured if stderr takes colours.
pub(crate) struct Headline<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Headline<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if ON.load(Ordering::Relaxed) {
            coloured(f, &self.0)
        } else {
            self.0.fmt(f)
        }
    }
}

fn coloured(out: &mut impl Write, text: impl fmt::Display) -> fmt::Result {
    out.write_str(BOLD_RED)?;
    write!(FirstLine { out, ended: false }, "{text}")
}

/// A writer that switches back to plain text at the end of the first line.
struct FirstLine<'a, W> {
    out: &'a mut W,
    ended: bool,
}

impl<W: Write> Write for FirstLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.split_once('\n') {
            Some((line, rest)) if !self.ended => {
                self.ended = true;
                self.out.write_str(line)?;
                self.out.write_str(PLAIN)?;
                self.out.write_str("\n")?;
                self.out.write_str(rest)
            }
            _ => self.out.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_is_coloured() {
        let mut out = String::new();
        coloured(&mut out, format_args!("{}: {}\nb\nc\n", "rule", "a")).unwrap();
        assert_eq!(out, "\x1b[1;31mrule: a\x1b[0m\nb\nc\n");
    }
}
