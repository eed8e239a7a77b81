//! Tests that the documentation agrees with the table of directives.

use crate::config::action::Action;
use crate::config::directives::help::Help;
use crate::config::directives::table::{DIRECTIVES, Directive, Form};
use crate::config::settings::Config;

const README: &str = include_str!("../../../../README.md");
const CRATE_DOCS: &str = include_str!("../../lib.rs");

/// The cells of each row of the table that begins with the line `header`.
fn rows(text: &str, header: &str) -> Vec<Vec<String>> {
    let table = text.split_once(header).expect("no table").1;
    let lines = table.lines().map(|line| line.trim_start_matches("//! "));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// The first cell of a row: each way to write the directive, in backquotes.
fn in_backquotes(directive: &Directive) -> String {
    format!("`{}`", directive.syntax().replace(", ", "`, `"))
}

#[test]
fn the_readme_lists_every_directive_with_its_meaning_and_default() {
    let rows = rows(README, "| directive | meaning | default |");
    let expected = DIRECTIVES.each_ref().map(|directive| {
        let default = match &directive.form {
            Form::EveryRule => {
                "`abort` in debug builds, `panic` with feature `testing`, else `log`".to_owned()
            }
            Form::OneRule | Form::Help => String::new(),
            Form::Addon { .. } => "none".to_owned(),
            Form::Value { show, .. } => show(&Config::new()),
            Form::Flag { is_set, .. } => {
                assert!(!is_set(&Config::new()), "{}", directive.name);
                "off".to_owned()
            }
        };
        vec![in_backquotes(directive), directive.summary(), default]
    });
    assert_eq!(rows, expected);
}

#[test]
fn the_crate_docs_list_every_directive_with_its_meaning() {
    let rows = rows(CRATE_DOCS, "| directive | meaning |");
    let rows = rows.into_iter().map(|mut row| {
        // A link to the documentation of the setting may follow the meaning.
        if let Some((meaning, _)) = row[1].split_once("; see [") {
            row[1] = meaning.to_owned();
        }
        row
    });
    let expected = DIRECTIVES
        .each_ref()
        .map(|directive| vec![in_backquotes(directive), directive.summary()]);
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

#[test]
fn each_example_is_accepted_and_changes_what_help_shows() {
    let before = Config::new().action(Action::Off);
    for directive in &DIRECTIVES {
        let examples = match directive.form {
            Form::EveryRule => &["count"],
            Form::Flag { .. } => &[directive.name],
            Form::Help => continue,
            _ => directive.examples,
        };
        assert!(!examples.is_empty(), "{}", directive.name);
        for example in examples {
            let after = before.with_directives(example).unwrap();
            assert_ne!(
                Help(&after).to_string(),
                Help(&before).to_string(),
                "{example}"
            );
        }
    }
}
