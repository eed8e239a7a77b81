use crate::config::action::Action;
use crate::config::directives::table::DIRECTIVES;
use crate::config::rule::Rule;
use crate::foreign_text::foreign_text;
use std::ffi::OsStr;
use std::fmt;

/// A directive that was not understood. Nothing of its list is applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    pub(super) directive: String,
    /// Counted from 1.
    pub(super) number: usize,
    /// Byte of the list at which it starts, counted from 0.
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

/// What is wrong with a directive, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    NotUnicode,
    Unknown {
        word: String,
        /// The accepted word that `word` may be a slip for.
        near: Option<String>,
    },
    UnknownRule {
        word: String,
        near: Option<String>,
    },
    UnknownAction {
        word: String,
        near: Option<String>,
    },
    WrongValue {
        word: String,
        /// What `word` is not.
        noun: &'static str,
        expected: &'static str,
    },
    NeedsValue {
        syntax: String,
        example: String,
    },
    TakesNoValue {
        name: String,
    },
}

impl ConfigError {
    /// The value of the variable is not Unicode.
    pub(crate) fn not_unicode(value: &OsStr) -> Self {
        Self {
            directive: value.to_string_lossy().into_owned(),
            number: 1,
            offset: 0,
            problem: Problem::NotUnicode,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "directive {} (byte {}) `{}`: {}",
            self.number,
            self.offset,
            foreign_text(&self.directive),
            self.problem
        )
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicode => f.write_str(
                "not Unicode; expected comma-separated directives, see HANDLEGUARD=help",
            ),
            Self::Unknown { word, near } => {
                let accepted = DIRECTIVES.each_ref().map(|directive| directive.syntax());
                unknown(f, "directive", word, near.as_deref(), &accepted.join(", "))
            }
            Self::UnknownRule { word, near } => {
                let accepted = Rule::ALL.map(Rule::name).join(", ");
                unknown(f, "rule", word, near.as_deref(), &accepted)
            }
            Self::UnknownAction { word, near } => {
                let accepted = Action::ALL.map(Action::name).join(", ");
                unknown(f, "action", word, near.as_deref(), &accepted)
            }
            Self::WrongValue {
                word,
                noun,
                expected,
            } => write!(
                f,
                "`{}` is not {noun}; expected {expected}",
                foreign_text(word)
            ),
            Self::NeedsValue { syntax, example } => {
                write!(f, "needs a value; expected `{syntax}`, as in `{example}`")
            }
            Self::TakesNoValue { name } => {
                write!(f, "`{name}` takes no value; expected `{name}` alone")
            }
        }
    }
}

fn unknown(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    word: &str,
    near: Option<&str>,
    accepted: &str,
) -> fmt::Result {
    write!(f, "unknown {kind} `{}`", foreign_text(word))?;
    if let Some(near) = near {
        write!(f, " (did you mean `{near}`?)")?;
    }
    write!(f, "; accepted: {accepted}")
}
