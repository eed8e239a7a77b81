//! One file for each rule, with all its words.
//!
//! A file holds what is known of the finding (a public struct), the sentence, the labelled lines, the help and the caption of
//! the backtrace ([`RuleText`](crate::describe::rule_text::RuleText)), the long explanation
//! ([`Rule::explanation`](crate::config::rule::Rule::explanation), which is the documentation of the struct too), and the
//! expected texts as tests. `guard/tests/messages.rs` has the texts that a guard can produce, with their stacks.
//!
//! A rule is three files: the verdict in `detect/`, which constructs the struct; the words here; and its tests.
//!
//! # To add a rule
//!
//! 1. The rule: a variant of [`Rule`](crate::config::rule::Rule), and its row in the table `RULES` below it.
//! 2. The words: a file here, and its line in this module.
//! 3. The finding: a variant of [`Finding`](crate::describe::finding::Finding). The compiler asks for the two matches there:
//!    the text of the finding, and the explanation of the rule.
//! 4. The verdict: a function in `detect/` that returns the finding, and its tests in `src/tests/`.
//! 5. The documentation: a row in the README's table of rules and in that of `Rule`. A test compares both with `RULES`.
//!
//! The files here import nothing from `detect/`: detection constructs the structs, and the words know nothing of detection.

pub(crate) mod desync;
pub(crate) mod global_growth;
pub(crate) mod in_gc;
pub(crate) mod missing_scope;
pub(crate) mod never_closed;
pub(crate) mod not_left;
pub(crate) mod out_of_order;
pub(crate) mod outer_growth;
pub(crate) mod redundant_scope;
pub(crate) mod scope_budget;
pub(crate) mod scope_growth;
pub(crate) mod sealed;
pub(crate) mod wrong_isolate;
pub(crate) mod wrong_thread;

#[cfg(test)]
mod tests {
    use crate::config::rule::Rule;

    /// The headings of every explanation.
    const HEADINGS: [&str; 4] = [
        "# Why it matters",
        "# Wrong",
        "# Right",
        "# How to silence it",
    ];

    /// The text of `rule` under each heading, after what precedes the first.
    fn sections(rule: Rule) -> (&'static str, [&'static str; HEADINGS.len()]) {
        let mut rest = rule.explanation();
        let mut before = |heading: &str| {
            let (before, after) = rest
                .split_once(&format!("\n\n{heading}\n\n"))
                .unwrap_or_else(|| panic!("{rule}: no `{heading}` in its place"));
            rest = after;
            before
        };
        let [why, wrong, right, silence] = HEADINGS;
        let summary = before(why);
        let sections = [before(wrong), before(right), before(silence)];
        let [why, wrong, right] = sections;
        (summary, [why, wrong, right, rest])
    }

    #[test]
    fn each_explanation_begins_with_the_rules_name() {
        for rule in Rule::ALL {
            let (summary, _) = sections(rule);
            let name = format!("`{rule}`: ");
            assert!(summary.starts_with(&name), "{rule}: {summary}");
        }
    }

    #[test]
    fn each_explanation_says_why_and_shows_wrong_code_and_right_code() {
        for rule in Rule::ALL {
            let (_, [why, wrong, right, _]) = sections(rule);
            assert!(why.ends_with('.'), "{rule}: {why}");
            for example in [wrong, right] {
                let code = example
                    .strip_prefix("```\n")
                    .and_then(|code| code.strip_suffix("\n```"));
                let code = code.unwrap_or_else(|| panic!("{rule}: no example: {example}"));
                assert!(code.contains("fn "), "{rule}: {code}");
            }
            assert_ne!(wrong, right, "{rule}");
        }
    }

    /// A terminal shows the text as it is, and a link into the documentation leads nowhere there.
    #[test]
    fn no_explanation_links_into_the_documentation() {
        for rule in Rule::ALL {
            assert!(!rule.explanation().contains("]: "), "{rule}");
            assert!(!rule.explanation().contains("]("), "{rule}");
            assert!(!rule.explanation().contains("crate::"), "{rule}");
        }
    }

    #[test]
    fn each_explanation_says_how_to_silence_the_rule() {
        for rule in Rule::ALL {
            let (_, [.., silence]) = sections(rule);
            let directive = format!("`{rule}=");
            assert!(silence.contains(&directive), "{rule}: {silence}");
        }
    }
}
