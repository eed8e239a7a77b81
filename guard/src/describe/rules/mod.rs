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
//! 5. A row in the tables of the README and of the crate's documentation, which a test compares with `RULES`.
//!
//! The files here import nothing from `detect/`: detection constructs the structs, and the words know nothing of detection.

pub(crate) mod desync;
pub(crate) mod in_gc;
pub(crate) mod missing_scope;
pub(crate) mod never_closed;
pub(crate) mod out_of_order;
pub(crate) mod outer_growth;
pub(crate) mod redundant_scope;
pub(crate) mod scope_budget;
pub(crate) mod sealed;
pub(crate) mod wrong_isolate;
pub(crate) mod wrong_thread;
