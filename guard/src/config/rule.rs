//! The rules, and the table of their names.

use crate::config::action::Action;
use std::fmt;

/// One kind of violation. Each has an [`Action`](crate::Action) of its own, and an [explanation](Self::explanation).
///
/// | rule | fires when |
/// |---|---|
/// | `missing-scope` | a callback starts, and no handle scope was opened since the turn began |
/// | `outer-growth` | a callback or turn ends with more handles in the enclosing scope than it found |
/// | `scope-budget` | a scope that is still open holds more handles than `scope-budget=<number>` allows |
/// | `scope-growth` | a loop fills a scope that stays open, as the hooks see it |
/// | `sealed` | a handle is created with no scope open, or directly under a turn that this rule's action seals |
/// | `out-of-order` | a scope closes that is not the innermost, or is not open |
/// | `never-closed` | a turn ends, or an isolate ends or is left, with scopes open |
/// | `wrong-thread` | an isolate is used or left on a thread that has not entered it |
/// | `wrong-isolate` | an isolate is used or left while another one is current |
/// | `in-gc` | a callback or scope starts in a GC callback, a first-pass weak callback, a destructor on the engine's heap or teardown |
/// | `redundant-scope` | advice, off unless named: a place opens scopes that never hold a handle |
/// | `global-growth` | advice, never more than `log` unless named: the persistent handles of an isolate grow steadily and are not reset |
/// | `desync` | the record and the engine's level disagree: a limit of handleguard, and no code is blamed |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A callback starts, and no handle scope was opened since the turn began:
    /// [`finding::MissingScope`](crate::finding::MissingScope).
    MissingScope,
    /// A callback or turn ends with more handles in the enclosing scope than it found:
    /// [`finding::OuterGrowth`](crate::finding::OuterGrowth).
    OuterGrowth,
    /// A scope that is still open holds more handles than the user's budget; none is set by default:
    /// [`finding::ScopeBudget`](crate::finding::ScopeBudget).
    ScopeBudget,
    /// A loop fills a scope that stays open. A judgement by repetition, so its action is [`Action::Log`](crate::Action::Log) at
    /// most unless it is set by name: [`finding::ScopeGrowth`](crate::finding::ScopeGrowth).
    ScopeGrowth,
    /// A handle is created with no scope open, or directly under a sealed turn. Turns are sealed where this rule has an action
    /// of its own: [`finding::Sealed`](crate::finding::Sealed).
    Sealed,
    /// A scope closes that is not the innermost, or is not open: [`finding::OutOfOrder`](crate::finding::OutOfOrder).
    OutOfOrder,
    /// A turn ends, or an isolate ends or is left, with scopes open: [`finding::NeverClosed`](crate::finding::NeverClosed).
    NeverClosed,
    /// An isolate is used or left on a thread that has not entered it: [`finding::WrongThread`](crate::finding::WrongThread).
    WrongThread,
    /// An isolate is used or left while another one is current: [`finding::WrongIsolate`](crate::finding::WrongIsolate).
    WrongIsolate,
    /// A callback or scope starts in a GC callback, a first-pass weak callback, a destructor on the engine's heap or teardown:
    /// [`finding::InGc`](crate::finding::InGc).
    InGc,
    /// Advice, off unless named: a place opens scopes that never hold a handle:
    /// [`finding::RedundantScope`](crate::finding::RedundantScope).
    RedundantScope,
    /// Advice, never more than `log` unless named: the persistent handles of an isolate grow steadily and are not reset:
    /// [`finding::GlobalGrowth`](crate::finding::GlobalGrowth).
    GlobalGrowth,
    /// The record and the engine's level disagree: a limit of handleguard, and no code is blamed:
    /// [`finding::Desync`](crate::finding::Desync).
    Desync,
}

/// A row of [`RULES`].
struct Row {
    rule: Rule,
    name: &'static str,
    /// What violates the rule, in one line.
    meaning: &'static str,
    /// The most severe action that the rule has unless it is named: less than `Abort` for advice.
    unnamed: Action,
}

/// The table of rules, in the order in which they are listed to the user: that of the enum's variants.
static RULES: [Row; 13] = [
    row(
        Rule::MissingScope,
        "missing-scope",
        "a callback starts, and no handle scope was opened since the turn began",
    ),
    row(
        Rule::OuterGrowth,
        "outer-growth",
        "a callback or turn ends with more handles in the enclosing scope than it found",
    ),
    row(
        Rule::ScopeBudget,
        "scope-budget",
        "a scope that is still open holds more handles than scope-budget=<number> allows",
    ),
    Row {
        unnamed: Action::Log,
        ..row(
            Rule::ScopeGrowth,
            "scope-growth",
            "a loop fills a scope that stays open, as the hooks see it",
        )
    },
    row(
        Rule::Sealed,
        "sealed",
        "a handle is created with no scope open, or directly under a turn that this rule's action seals",
    ),
    row(
        Rule::OutOfOrder,
        "out-of-order",
        "a scope closes that is not the innermost, or is not open",
    ),
    row(
        Rule::NeverClosed,
        "never-closed",
        "a turn ends, or an isolate ends or is left, with scopes open",
    ),
    row(
        Rule::WrongThread,
        "wrong-thread",
        "an isolate is used or left on a thread that has not entered it",
    ),
    row(
        Rule::WrongIsolate,
        "wrong-isolate",
        "an isolate is used or left while another one is current",
    ),
    row(
        Rule::InGc,
        "in-gc",
        "a callback or scope starts in a GC callback, a first-pass weak callback, a destructor on the engine's heap or teardown",
    ),
    Row {
        unnamed: Action::Off,
        ..row(
            Rule::RedundantScope,
            "redundant-scope",
            "advice, off unless named: a place opens scopes that never hold a handle",
        )
    },
    Row {
        unnamed: Action::Log,
        ..row(
            Rule::GlobalGrowth,
            "global-growth",
            "advice, never more than log unless named: the persistent handles of an isolate grow steadily and are not reset",
        )
    },
    row(
        Rule::Desync,
        "desync",
        "the record and the engine's level disagree: a limit of handleguard, and no code is blamed",
    ),
];

const fn row(rule: Rule, name: &'static str, meaning: &'static str) -> Row {
    Row {
        rule,
        name,
        meaning,
        unnamed: Action::Abort,
    }
}

impl Rule {
    /// All rules, in the order in which they are listed to the user.
    pub const ALL: [Self; RULES.len()] = {
        let mut all = [Self::MissingScope; RULES.len()];
        let mut at = 0;
        while at < RULES.len() {
            all[at] = RULES[at].rule;
            assert!(all[at] as usize == at, "the table is in the enum's order");
            at += 1;
        }
        all
    };

    const fn row(self) -> &'static Row {
        &RULES[self as usize]
    }

    /// The name used in `HANDLEGUARD`, in messages and in log fields.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What violates the rule, in one line.
    pub const fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Whether the rule is advice rather than a bug: until it is named, its action is `off`, or `log` at most.
    pub const fn is_advice(self) -> bool {
        !matches!(self.row().unnamed, Action::Abort)
    }

    /// The action of the rule where every rule gets `action`.
    pub(crate) const fn unnamed(self, action: Action) -> Action {
        let most = self.row().unnamed;
        if (action as u8) < most as u8 {
            action
        } else {
            most
        }
    }

    /// The rule with that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table of rules in `text`, whose lines begin with `prefix`: rule and meaning.
    fn rows<'a>(text: &'a str, prefix: &str) -> Vec<[&'a str; 2]> {
        let header = format!("{prefix}| rule | fires when |\n{prefix}|---|---|\n");
        let table = text.split_once(&header).expect("no table of rules").1;
        let rows = table
            .lines()
            .map_while(|line| line.strip_prefix(prefix)?.strip_prefix("| `"));
        rows.map(|row| {
            let (name, meaning) = row.split_once("` | ").expect("two cells");
            [
                name,
                meaning.strip_suffix(" |").expect("the end of the row"),
            ]
        })
        .collect()
    }

    /// A directive is code in Markdown.
    fn in_markdown(meaning: &str) -> String {
        meaning
            .replace("scope-budget=<number>", "`scope-budget=<number>`")
            .replace("than log ", "than `log` ")
    }

    #[test]
    fn the_documentation_lists_every_rule_with_its_meaning() {
        let rows = rows(include_str!("rule.rs"), "/// ");
        assert_eq!(rows.len(), Rule::ALL.len());
        for (row, rule) in rows.into_iter().zip(Rule::ALL) {
            assert_eq!(row, [rule.name(), &in_markdown(rule.meaning())]);
        }
    }

    /// There, more may follow: what the rule means for V8.
    #[test]
    fn the_readme_lists_every_rule_with_its_meaning() {
        let rows = rows(include_str!("../../../README.md"), "");
        assert_eq!(rows.len(), Rule::ALL.len());
        for ([name, meaning], rule) in rows.into_iter().zip(Rule::ALL) {
            assert_eq!(name, rule.name());
            let rest = meaning.strip_prefix(&in_markdown(rule.meaning()));
            let rest = rest.unwrap_or_else(|| panic!("{name}: {meaning}"));
            assert!(
                rest.is_empty() || rest.starts_with("; "),
                "{name}: {meaning}"
            );
        }
    }

    #[test]
    fn each_rule_has_a_name_of_its_own_that_names_it() {
        for rule in Rule::ALL {
            assert_eq!(Rule::named(rule.name()), Some(rule));
        }
        assert_eq!(Rule::named("no-such-rule"), None);
    }
}
