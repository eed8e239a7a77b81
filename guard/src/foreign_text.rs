//! Text that neither the checker nor its host wrote: names of scripts, functions, symbols, threads and files.
//!
//! Whoever runs a script or loads a file chooses such a name. It may hold a line that looks like a report, an escape sequence of
//! the terminal, or a megabyte of data. It is therefore made harmless where it is taken in, once for all outputs.

use crate::sync::real::Arc;
use std::fmt;
use std::ops::Deref;

/// How many bytes of a foreign text are kept.
pub const MAX_FOREIGN_TEXT: usize = 256;

/// Room for two foreign texts, the marks of their cuts, and two numbers between punctuation.
const MAX_FOREIGN_DESCRIPTION: usize = 2 * MAX_FOREIGN_TEXT + 64;

/// Stands for the rest of a text that was cut.
const CUT: char = '…';

/// Returns `text` with its control characters, line ends and marks of writing direction escaped, cut after
/// [`MAX_FOREIGN_TEXT`] bytes. A text that was cut ends with `…`, which comes on top of them.
///
/// ```
/// assert_eq!(handleguard::foreign_text("app.js\nERROR: \u{202e}"), r"app.js\nERROR: \u{202e}");
/// assert!(handleguard::foreign_text(&"x".repeat(1 << 20)).ends_with("x…"));
/// ```
pub fn foreign_text(text: &str) -> String {
    cut_and_escaped(text, MAX_FOREIGN_TEXT)
}

/// As [`foreign_text`], for a description that is composed of two foreign texts and some words, as
/// `onClose (handlers.js:12:20)` is.
pub(crate) fn foreign_description(text: &str) -> String {
    cut_and_escaped(text, MAX_FOREIGN_DESCRIPTION)
}

fn cut_and_escaped(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        let before = kept.len();
        if is_harmless(character) {
            kept.push(character);
        } else {
            // A short escape where there is one, `\n`, and else the code point.
            kept.extend(character.escape_default());
        }
        if kept.len() > max {
            kept.truncate(before);
            kept.push(CUT);
            break;
        }
    }
    kept
}

/// A foreign text that [`foreign_text`] has made harmless. A clone shares the text and copies nothing.
///
/// ```
/// let name = handleguard::ForeignText::from("app.js\n");
/// assert_eq!(&*name, r"app.js\n");
/// assert_eq!(name.clone().as_ptr(), name.as_ptr());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignText(Arc<str>);

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        Self(foreign_text(text).into())
    }
}

impl Deref for ForeignText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a terminal or an editor shows the character where it stands, and as nothing but itself.
fn is_harmless(character: char) -> bool {
    let changes_the_lines = character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    // Unicode's property `Bidi_Control`.
    let changes_the_direction = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !changes_the_lines && !changes_the_direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_text_stays_as_it_is() {
        for text in [
            "",
            "app.js",
            "naïve/日本.js",
            r"C:\app\main.js",
            "a 'b' \"c\"",
        ] {
            assert_eq!(foreign_text(text), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("\0\u{7f}\u{9b}", r"\u{0}\u{7f}\u{9b}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (
                "\u{202e}\u{2066}\u{200f}\u{61c}",
                r"\u{202e}\u{2066}\u{200f}\u{61c}",
            ),
        ] {
            assert_eq!(foreign_text(text), shown);
        }
    }

    #[test]
    fn a_harmless_text_is_not_changed_again() {
        for text in ["x".repeat(300), "\u{202e}".repeat(100), "a\n".repeat(200)] {
            let once = foreign_text(&text);
            assert_eq!(foreign_text(&once), once);
        }
    }

    #[test]
    fn a_description_has_room_for_two_long_names() {
        let [function, script] = ["f", "s"].map(|name| foreign_text(&name.repeat(1000)));
        let callee = format!("{function} ({script}:{0}:{0})", u32::MAX);
        assert_eq!(foreign_description(&callee), callee);
        assert_eq!(foreign_description(&"x".repeat(1000)).len(), 576 + 3);
        assert_eq!(foreign_description("f\n"), r"f\n");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(foreign_text(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(
            foreign_text(&"x".repeat(257)),
            format!("{}…", "x".repeat(256))
        );
        // 85 characters of 3 bytes each.
        assert_eq!(
            foreign_text(&"日".repeat(100)),
            format!("{}…", "日".repeat(85))
        );
        // An escape is kept whole or left out.
        let long = format!("{}\n", "x".repeat(255));
        assert_eq!(foreign_text(&long), format!("{}…", "x".repeat(255)));
    }
}
