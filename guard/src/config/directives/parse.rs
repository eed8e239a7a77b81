//! Applies the directives of `HANDLEGUARD` to a configuration.

use crate::config::action::Action;
use crate::config::directives::error::{ConfigError, Problem};
use crate::config::directives::table::{DIRECTIVES, Directive, Form};
use crate::config::rule::Rule;
use crate::config::settings::Config;

impl Config {
    /// This configuration, changed by comma-separated directives as in the variable `HANDLEGUARD`:
    /// `log,missing-scope=abort,tick=10s`. A directive overrides those before it.
    ///
    /// # Errors
    ///
    /// Names the first wrong directive, its position, and what is accepted.
    pub fn with_directives(&self, directives: &str) -> Result<Self, ConfigError> {
        apply(self, directives).map(|(config, _)| config)
    }
}

/// Applies the directives of `text` to `config`. Also returns whether `help` is among them.
pub(crate) fn apply(config: &Config, text: &str) -> Result<(Config, bool), ConfigError> {
    let mut changed = config.clone();
    let mut help = false;
    let mut offset = 0;
    for (at, piece) in text.split(',').enumerate() {
        let directive = piece.trim();
        // `HANDLEGUARD=` and a trailing comma are no error, as in `RUST_LOG`.
        if !directive.is_empty() {
            changed = apply_one(changed, directive, &mut help).map_err(|problem| ConfigError {
                directive: directive.to_owned(),
                number: at + 1,
                offset: offset + (piece.len() - piece.trim_start().len()),
                problem,
            })?;
        }
        offset += piece.len() + 1;
    }
    Ok((changed, help))
}

fn apply_one(config: Config, text: &str, help: &mut bool) -> Result<Config, Problem> {
    let (subject, value) = split(text, '=');
    let (name, file) = split(subject, ':');
    if let Some(file) = file {
        return apply_to_addon(config, name, file, value);
    }
    if let Some(action) = Action::named(name) {
        return match value {
            None => Ok(config.action(action)),
            Some(_) => Err(takes_no_value(name)),
        };
    }
    // Before the table, for `scope-budget` is a rule with an action and a directive with a number.
    let rule = Rule::named(name);
    if let (Some(rule), Some(action)) = (rule, value.and_then(Action::named)) {
        return Ok(config.rule(rule, action));
    }
    let Some(directive) = Directive::named(name) else {
        return Err(match (rule, value) {
            (Some(_), None) => needs_action(name),
            (Some(_), Some(value)) => unknown_action(value),
            (None, value) => unknown(name, value),
        });
    };
    match (&directive.form, value) {
        (Form::Flag { set, .. }, None) => Ok(set(config, true)),
        (Form::Help, None) => {
            *help = true;
            Ok(config)
        }
        (Form::Flag { .. } | Form::Help, Some(_)) => Err(takes_no_value(name)),
        (
            Form::Value {
                parse,
                noun,
                expected,
                ..
            },
            Some(value),
        ) => parse(config, value).ok_or_else(|| match rule {
            // Where an action is accepted too, a word was meant to be one.
            Some(_) if !value.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                unknown_action(value)
            }
            _ => Problem::WrongValue {
                word: value.to_owned(),
                noun,
                expected,
            },
        }),
        (Form::Value { .. }, None) | (Form::Addon { .. }, _) => Err(Problem::NeedsValue {
            syntax: directive.syntax(),
            example: directive.examples[0].to_owned(),
        }),
        // A placeholder, copied from the documentation.
        (Form::EveryRule | Form::OneRule, value) => Err(unknown(name, value)),
    }
}

/// `name` is the word before the colon.
fn apply_to_addon(
    config: Config,
    name: &str,
    file: &str,
    value: Option<&str>,
) -> Result<Config, Problem> {
    let addon = DIRECTIVES
        .iter()
        .find_map(|directive| match directive.form {
            Form::Addon { expected } => Some((directive.name, expected)),
            _ => None,
        });
    let (addon, expected) = addon.expect("[handleguard internal bug] no directive for add-ons");
    if name != addon {
        return Err(Problem::Unknown {
            word: format!("{name}:"),
            near: near(name, [addon]).map(|addon| format!("{addon}:")),
        });
    }
    if file.is_empty() || file.contains(['/', '\\']) {
        return Err(Problem::WrongValue {
            word: file.to_owned(),
            noun: "a file name",
            expected,
        });
    }
    match value {
        None => Err(needs_action(&format!("{name}:{file}"))),
        Some(value) => {
            let action = Action::named(value).ok_or_else(|| unknown_action(value))?;
            Ok(config.addon(file, action))
        }
    }
}

/// Both sides of the first `separator`, without the blanks around them.
fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before.trim(), Some(after.trim())),
        None => (text, None),
    }
}

fn takes_no_value(name: &str) -> Problem {
    Problem::TakesNoValue {
        name: name.to_owned(),
    }
}

fn needs_action(subject: &str) -> Problem {
    Problem::NeedsValue {
        syntax: format!("{subject}=<action>"),
        example: format!("{subject}=log"),
    }
}

fn unknown_action(word: &str) -> Problem {
    Problem::UnknownAction {
        word: word.to_owned(),
        near: near(word, Action::ALL.map(Action::name)).map(str::to_owned),
    }
}

/// Nothing is called `word`. What stands before an action is most likely meant to be a rule.
fn unknown(word: &str, value: Option<&str>) -> Problem {
    let rules = Rule::ALL.map(Rule::name);
    let actions = Action::ALL.map(Action::name);
    let directives = DIRECTIVES.iter().map(|directive| directive.name);
    let near = near(word, rules.into_iter().chain(actions).chain(directives));
    let is_rule = match near {
        Some(near) => value.is_some() && Rule::named(near).is_some(),
        None => value.is_some_and(|value| Action::named(value).is_some()),
    };
    let (word, near) = (word.to_owned(), near.map(str::to_owned));
    if is_rule {
        Problem::UnknownRule { word, near }
    } else {
        Problem::Unknown { word, near }
    }
}

/// The accepted word that a typing slip is most likely to have meant: one or two letters off.
fn near(word: &str, accepted: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let candidates = accepted
        .into_iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate));
    candidates
        .filter(|&(edits, candidate)| edits <= 2 && edits < candidate.len() / 2 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn error(text: &str) -> String {
        Config::new()
            .with_directives(text)
            .expect_err("accepted")
            .to_string()
    }

    #[test]
    fn directives_apply_from_left_to_right() {
        let config = Config::new()
            .with_directives("abort,missing-scope=log, tick=250ms ,")
            .unwrap();
        assert_eq!(config.action_of(Rule::MissingScope), Action::Log);
        assert_eq!(config.action_of(Rule::NeverClosed), Action::Abort);
        assert_eq!(config.tick_interval(), Duration::from_millis(250));
        let config = config.with_directives("missing-scope=abort,count").unwrap();
        assert_eq!(config.action_of(Rule::MissingScope), Action::Count);
        assert_eq!(config.tick_interval(), Duration::from_millis(250));
    }

    #[test]
    fn an_empty_list_changes_nothing() {
        assert_eq!(Config::new().with_directives("").unwrap(), Config::new());
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, tick) in [
            ("tick=10s", Duration::from_secs(10)),
            ("tick=2m", Duration::from_secs(120)),
            ("tick=100ms", Duration::from_millis(100)),
            ("tick=off", Duration::ZERO),
            ("tick=0", Duration::ZERO),
            ("tick=0ms", Duration::ZERO),
        ] {
            let config = Config::new().with_directives(text).unwrap();
            assert_eq!(config.tick_interval(), tick);
        }
    }

    #[test]
    fn a_wrong_directive_is_named_with_its_place_and_what_is_accepted() {
        assert_eq!(
            error("aboort"),
            "directive 1 (byte 0) `aboort`: unknown directive `aboort` (did you mean `abort`?); accepted: off, count, \
             log, panic, abort, <rule>=<action>, addon:<file>=<action>, scope-budget=<number>, sites=<number>, tick=<duration>, \
             strict, require-hooks, full-stack, help"
        );
        assert_eq!(
            error("log, missing-scop=abort"),
            "directive 2 (byte 5) `missing-scop=abort`: unknown rule `missing-scop` (did you mean `missing-scope`?); \
             accepted: missing-scope, outer-growth, scope-budget, scope-growth, sealed, out-of-order, never-closed, wrong-thread, \
             wrong-isolate, in-gc, redundant-scope, global-growth, desync"
        );
        assert_eq!(
            error("log,never-closed=explode"),
            "directive 2 (byte 4) `never-closed=explode`: unknown action `explode`; accepted: off, count, log, panic, \
             abort"
        );
        assert_eq!(
            error("tick=10"),
            "directive 1 (byte 0) `tick=10`: `10` is not a time between reports; expected a number with a unit, \
             `100ms` or more, as in `10s` or `2m`, or `off`"
        );
        assert_eq!(
            error("scope-budget=10k"),
            "directive 1 (byte 0) `scope-budget=10k`: `10k` is not a number of handles; expected a whole number, as in \
             `scope-budget=10000`, or an action"
        );
        for wrong in ["0", "65536", "many", "-1"] {
            assert_eq!(
                error(&format!("sites={wrong}")),
                format!(
                    "directive 1 (byte 0) `sites={wrong}`: `{wrong}` is not a number of sites; expected a whole number from 1 to \
                     65535, as in `sites=4096`"
                )
            );
        }
        assert_eq!(
            error("sites"),
            "directive 1 (byte 0) `sites`: needs a value; expected `sites=<number>`, as in `sites=4096`"
        );
        assert_eq!(
            error("missing-scope"),
            "directive 1 (byte 0) `missing-scope`: needs a value; expected `missing-scope=<action>`, as in \
             `missing-scope=log`"
        );
        assert_eq!(
            error("tick"),
            "directive 1 (byte 0) `tick`: needs a value; expected `tick=<duration>`, as in `tick=500ms`"
        );
    }

    #[test]
    fn a_tick_that_is_too_short_is_named_with_the_shortest_that_is_accepted() {
        for wrong in ["1ns", "50ms", "99ms 999us"] {
            assert_eq!(
                error(&format!("log,tick={wrong}")),
                format!(
                    "directive 2 (byte 4) `tick={wrong}`: `{wrong}` is not a time between reports; expected a number with a unit, \
                     `100ms` or more, as in `10s` or `2m`, or `off`"
                )
            );
        }
    }

    #[test]
    fn a_value_after_a_word_that_takes_none_is_an_error() {
        for word in ["log", "strict", "help"] {
            assert_eq!(
                error(&format!("{word}=on")),
                format!(
                    "directive 1 (byte 0) `{word}=on`: `{word}` takes no value; expected `{word}` alone"
                )
            );
        }
    }

    #[test]
    fn a_typing_slip_in_any_name_is_met_with_the_name() {
        let names = DIRECTIVES
            .iter()
            .map(|directive| directive.name)
            .filter(|name| !name.starts_with('<'))
            .chain(Rule::ALL.map(Rule::name))
            .chain(Action::ALL.map(Action::name));
        for name in names {
            let slip = format!("{name}x");
            for directive in [slip.clone(), format!("{slip}=17")] {
                let error = error(&directive);
                assert!(
                    error.contains(&format!("`{slip}` (did you mean `{name}`?); accepted: ")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_unknown_name_before_an_action_is_taken_for_a_rule() {
        assert!(error("leaks=log").contains(": unknown rule `leaks`; accepted: missing-scope, "));
        assert!(error("leaks=12").contains(": unknown directive `leaks`; accepted: off, "));
    }

    #[test]
    fn a_word_in_place_of_a_budget_is_taken_for_an_action() {
        assert_eq!(
            error("scope-budget=cuont"),
            "directive 1 (byte 0) `scope-budget=cuont`: unknown action `cuont` (did you mean `count`?); accepted: off, count, log, \
             panic, abort"
        );
    }

    #[test]
    fn what_a_terminal_obeys_and_what_is_long_is_not_repeated() {
        let error = |text: &str| Config::new().with_directives(text).unwrap_err().to_string();
        let long = "x".repeat(10_000);
        for directives in [&long, &format!("{long}=log"), &format!("tick={long}")] {
            assert!(error(directives).len() < 2000, "{}", error(directives));
        }
        for directives in [
            "\u{1b}[2J",
            "tick=\u{1b}[2J",
            "\u{1b}[2J=log",
            "sealed=\u{1b}[2J",
        ] {
            let error = error(directives);
            assert!(error.contains(r"\u{1b}[2J"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn help_may_stand_among_other_directives() {
        let defaults = Config::new();
        let expected = (Config::new().strict(true), true);
        assert_eq!(apply(&defaults, "strict,help"), Ok(expected));
        assert_eq!(apply(&defaults, ""), Ok((defaults.clone(), false)));
    }

    #[test]
    fn a_budget_is_a_number_and_its_rule_has_an_action() {
        let config = Config::new()
            .with_directives("scope-budget=10000,scope-budget=log")
            .unwrap();
        assert_eq!(config.scope_budget_of(), Some(10_000));
        assert_eq!(config.action_of(Rule::ScopeBudget), Action::Log);
    }

    #[test]
    fn an_add_on_has_an_action_of_its_own() {
        let config = Config::new()
            .with_directives("addon:liba.so=count,off, addon: libb.so = log ,addon:liba.so=abort")
            .unwrap();
        assert_eq!(config.addon_action_of("liba.so"), Some(Action::Abort));
        assert_eq!(config.addon_action_of("libb.so"), Some(Action::Log));
        assert_eq!(config.addon_action_of("libc.so"), None);
        assert_eq!(config.action_of(Rule::NeverClosed), Action::Off);
        assert!(config.is_on());
        assert_eq!(config.addons().count(), 2);
    }

    #[test]
    fn a_wrong_add_on_is_named_with_what_is_accepted() {
        let file = |word| {
            format!(
                "`{word}` is not a file name; expected the add-on's file without its folder, as in `addon:libtimers.so=log`"
            )
        };
        assert_eq!(
            error("addon:lib/liba.so=log"),
            format!(
                "directive 1 (byte 0) `addon:lib/liba.so=log`: {}",
                file("lib/liba.so")
            )
        );
        assert_eq!(
            error("addon:=log"),
            format!("directive 1 (byte 0) `addon:=log`: {}", file(""))
        );
        for alone in ["addon", "addon=log"] {
            assert_eq!(
                error(&format!("log,{alone}")),
                format!(
                    "directive 2 (byte 4) `{alone}`: needs a value; expected `addon:<file>=<action>`, as in \
                     `addon:libtimers.so=log`"
                )
            );
        }
        assert_eq!(
            error("addon:liba.so"),
            "directive 1 (byte 0) `addon:liba.so`: needs a value; expected `addon:liba.so=<action>`, as in `addon:liba.so=log`"
        );
        assert_eq!(
            error("addon:liba.so=cuont"),
            "directive 1 (byte 0) `addon:liba.so=cuont`: unknown action `cuont` (did you mean `count`?); accepted: off, count, \
             log, panic, abort"
        );
        assert_eq!(
            error("adon:liba.so=log"),
            "directive 1 (byte 0) `adon:liba.so=log`: unknown directive `adon:` (did you mean `addon:`?); accepted: off, \
             count, log, panic, abort, <rule>=<action>, addon:<file>=<action>, scope-budget=<number>, sites=<number>, \
             tick=<duration>, strict, require-hooks, full-stack, help"
        );
    }

    #[test]
    fn sites_may_be_as_many_as_a_u16_holds() {
        let config = Config::new().with_directives("sites=65535").unwrap();
        assert_eq!(config.sites_of(), 65_535);
    }

    #[test]
    fn nothing_of_a_wrong_list_is_applied() {
        let config = Config::new().action(Action::Count);
        assert!(config.with_directives("log,tick=1s,nonsense").is_err());
        assert_eq!(config, Config::new().action(Action::Count));
    }
}
