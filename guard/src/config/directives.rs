//! The directives of the variable `HANDLEGUARD`: parsing, errors, and the help text.

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use std::fmt;
use std::time::Duration;

const ADDON: &str = "addon";
const ADDON_MARK: &str = "addon:";
const FULL_STACK: &str = "full-stack";
const STRICT: &str = "strict";
const REQUIRE_HOOKS: &str = "require-hooks";
const SITES: &str = "sites";

/// A directive that was not understood. Nothing of the list it stands in was applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    directive: String,
    /// Counted from 1.
    number: usize,
    /// Byte of the list at which it starts, counted from 0.
    offset: usize,
    problem: Problem,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Problem {
    NotUnicode,
    Unknown {
        word: String,
        near: Option<&'static str>,
    },
    UnknownRule {
        word: String,
        near: Option<&'static str>,
    },
    UnknownAction {
        word: String,
        near: Option<&'static str>,
    },
    NotADuration {
        word: String,
    },
    NotABudget {
        word: String,
    },
    NotAnAddon {
        word: String,
    },
    NotSites {
        word: String,
    },
    NeedsValue,
}

impl ConfigError {
    /// The value of the variable is not Unicode.
    pub(crate) fn not_unicode(value: &std::ffi::OsStr) -> Self {
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
            "directive {} (byte {}) `{}`: ",
            self.number, self.offset, self.directive
        )?;
        let hint = |f: &mut fmt::Formatter<'_>, near: &Option<&str>| match near {
            Some(near) => write!(f, " (did you mean `{near}`?)"),
            None => Ok(()),
        };
        match &self.problem {
            Problem::NotUnicode => f.write_str(
                "not Unicode; accepted: comma-separated directives, see HANDLEGUARD=help",
            ),
            Problem::Unknown { word, near } => {
                write!(f, "unknown directive `{word}`")?;
                hint(f, near)?;
                write!(
                    f,
                    "; accepted: {}, <rule>=<action>, {ADDON}:<file>=<action>, scope-budget=<number>, {SITES}=<number>, \
                     tick=<duration>, {STRICT}, {REQUIRE_HOOKS}, {FULL_STACK}, help",
                    list(Action::ALL.map(Action::name))
                )
            }
            Problem::UnknownRule { word, near } => {
                write!(f, "unknown rule `{word}`")?;
                hint(f, near)?;
                write!(f, "; accepted: {}", list(Rule::ALL.map(Rule::name)))
            }
            Problem::UnknownAction { word, near } => {
                write!(f, "unknown action `{word}`")?;
                hint(f, near)?;
                write!(f, "; accepted: {}", list(Action::ALL.map(Action::name)))
            }
            Problem::NotADuration { word } => write!(
                f,
                "`{word}` is no duration; accepted: a number with its unit, as in `10s`, `500ms` or `2m`, or `off`"
            ),
            Problem::NotABudget { word } => write!(
                f,
                "`{word}` is no number of handles; accepted: a whole number, as in `scope-budget=10000`, or an action"
            ),
            Problem::NotAnAddon { word } => write!(
                f,
                "`{word}` is no file name of an add-on; accepted: one without its folder, as in `{ADDON}:libtimers.so=log`"
            ),
            Problem::NotSites { word } => write!(
                f,
                "`{word}` is no number of sites; accepted: a whole number from 1 to 65535, as in `sites=1024`"
            ),
            Problem::NeedsValue => write!(
                f,
                "needs a value; accepted: `{0}=...`, as in `{0}={1}`",
                self.directive,
                match self.directive.as_str() {
                    "tick" => "10s",
                    SITES => "1024",
                    _ => "log",
                }
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

fn list<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}

impl Config {
    /// This configuration, changed by comma-separated directives as in the variable `HANDLEGUARD`:
    /// `log,missing-scope=abort,tick=10s`. Later ones win.
    ///
    /// # Errors
    ///
    /// Names the first wrong directive, its position, and what is accepted.
    pub fn with_directives(&self, directives: &str) -> Result<Self, ConfigError> {
        apply(self, directives).map(|(config, _)| config)
    }
}

/// Applies `text` to `config`. Also tells whether help was asked for.
pub(crate) fn apply(config: &Config, text: &str) -> Result<(Config, bool), ConfigError> {
    let mut changed = config.clone();
    let mut help = false;
    let mut offset = 0;
    for (at, piece) in text.split(',').enumerate() {
        let directive = piece.trim();
        let error = |problem| ConfigError {
            directive: directive.to_owned(),
            number: at + 1,
            offset: offset + (piece.len() - piece.trim_start().len()),
            problem,
        };
        changed = match directive.split_once('=') {
            // `HANDLEGUARD=` and a trailing comma are no error, as in `RUST_LOG`.
            None if directive.is_empty() => changed,
            None if directive == "help" => {
                help = true;
                changed
            }
            None => one_word(changed, directive).map_err(error)?,
            Some((name, value)) => assignment(changed, name.trim(), value.trim()).map_err(error)?,
        };
        offset += piece.len() + 1;
    }
    Ok((changed, help))
}

fn one_word(config: Config, word: &str) -> Result<Config, Problem> {
    if let Some(action) = Action::named(word) {
        return Ok(config.action(action));
    }
    match word {
        FULL_STACK => return Ok(config.full_stack(true)),
        STRICT => return Ok(config.strict(true)),
        REQUIRE_HOOKS => return Ok(config.require_hooks(true)),
        _ => {}
    }
    if let Some(file) = addon(word) {
        return Err(not_a_file(file).unwrap_or(Problem::NeedsValue));
    }
    if word == "tick" || word == SITES || Rule::named(word).is_some() {
        return Err(Problem::NeedsValue);
    }
    Err(Problem::Unknown {
        word: word.to_owned(),
        near: near(
            word,
            Action::ALL.map(Action::name).into_iter().chain([
                STRICT,
                REQUIRE_HOOKS,
                FULL_STACK,
                "help",
            ]),
        ),
    })
}

fn assignment(config: Config, name: &str, value: &str) -> Result<Config, Problem> {
    if name == "tick" {
        let tick = duration(value).ok_or_else(|| Problem::NotADuration {
            word: value.to_owned(),
        })?;
        return Ok(config.tick(tick));
    }
    if name == SITES {
        let sites = value.parse().map_err(|_| Problem::NotSites {
            word: value.to_owned(),
        })?;
        return Ok(config.sites(sites));
    }
    if name == Rule::ScopeBudget.name() {
        if let Ok(handles) = value.parse() {
            return Ok(config.scope_budget(Some(handles)));
        }
        if value.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            return Err(Problem::NotABudget {
                word: value.to_owned(),
            });
        }
    }
    if let Some(file) = addon(name) {
        return match not_a_file(file) {
            None => Ok(config.addon(file, action(value)?)),
            Some(problem) => Err(problem),
        };
    }
    let rule = Rule::named(name).ok_or_else(|| match name.split_once(':') {
        Some((word, _)) => Problem::Unknown {
            word: format!("{word}:"),
            near: near(word, [ADDON].into_iter()).map(|_| ADDON_MARK),
        },
        None => Problem::UnknownRule {
            word: name.to_owned(),
            near: near(name, Rule::ALL.map(Rule::name).into_iter()),
        },
    })?;
    Ok(config.rule(rule, action(value)?))
}

fn action(value: &str) -> Result<Action, Problem> {
    Action::named(value).ok_or_else(|| Problem::UnknownAction {
        word: value.to_owned(),
        near: near(value, Action::ALL.map(Action::name).into_iter()),
    })
}

/// The file of `addon:<file>`; empty where the word stands alone.
fn addon(name: &str) -> Option<&str> {
    match name.split_once(':') {
        Some((word, file)) => (word.trim() == ADDON).then(|| file.trim()),
        None => (name == ADDON).then_some(""),
    }
}

fn not_a_file(file: &str) -> Option<Problem> {
    (file.is_empty() || file.contains(['/', '\\'])).then(|| Problem::NotAnAddon {
        word: file.to_owned(),
    })
}

fn duration(text: &str) -> Option<Duration> {
    if text == "off" {
        return Some(Duration::ZERO);
    }
    humantime::parse_duration(text).ok()
}

/// The accepted word that a typing slip is most likely to have meant: one or two letters off.
fn near(word: &str, accepted: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    accepted
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .filter(|&(edits, candidate)| edits <= 2 && edits < candidate.len() / 2 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The text of `HANDLEGUARD=help`: each directive with its current value.
pub(crate) struct Help<'a>(pub(crate) &'a Config);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions = Action::ALL.map(Action::name).join("|");
        writeln!(
            f,
            "handleguard: HANDLEGUARD=<directive>,<directive>,... (later ones win, and all win over the program's code)"
        )?;
        writeln!(
            f,
            "  {:<34} sets the action of every rule but advice",
            actions
        )?;
        for rule in Rule::ALL {
            writeln!(
                f,
                "  {:<34} now {:<7} {}",
                format!("{rule}=<action>"),
                self.0.action_of(rule).name(),
                rule.meaning()
            )?;
        }
        let addon = format!("{ADDON}:<file>=<action>");
        let none = if self.0.addons().next().is_none() {
            "none"
        } else {
            ""
        };
        writeln!(
            f,
            "  {addon:<34} now {none:<7} the action of every rule in calls of one add-on, as in {ADDON}:libtimers.so=log"
        )?;
        for (file, action) in self.0.addons() {
            writeln!(f, "  {:<34} now {action}", format!("  {ADDON}:{file}"))?;
        }
        let budget = match self.0.scope_budget_of() {
            Some(handles) => handles.to_string(),
            None => "none".to_owned(),
        };
        writeln!(
            f,
            "  {:<34} now {budget:<7} handles that a scope may hold",
            format!("{}=<number>", Rule::ScopeBudget)
        )?;
        writeln!(
            f,
            "  {:<34} now {:<7} distinct causes that are kept, of about 2 KiB each",
            format!("{SITES}=<number>"),
            self.0.sites_of()
        )?;
        let tick = self.0.tick_interval();
        let now = if tick.is_zero() {
            "off".to_owned()
        } else {
            humantime::format_duration(tick).to_string()
        };
        writeln!(
            f,
            "  {:<34} now {now:<7} time between reports, as in 10s or 500ms, or off",
            "tick=<duration>"
        )?;
        let on = |on| if on { "on" } else { "off" };
        writeln!(
            f,
            "  {STRICT:<34} now {:<7} judges each callback as if it had come straight from the loop",
            on(self.0.is_strict())
        )?;
        writeln!(
            f,
            "  {REQUIRE_HOOKS:<34} now {:<7} ends the process with status 2 at its start, unless every hook took effect",
            on(self.0.requires_hooks())
        )?;
        writeln!(
            f,
            "  {FULL_STACK:<34} now {:<7} shows every frame of a stack, the checker's and the engine's too",
            on(self.0.is_full_stack())
        )?;
        writeln!(f, "  {:<34} prints this", "help")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::new()
            .with_directives(text)
            .expect_err("must be refused")
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
            ("tick=off", Duration::ZERO),
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
             accepted: missing-scope, outer-growth, scope-budget, sealed, out-of-order, never-closed, wrong-thread, \
             wrong-isolate, in-gc, redundant-scope, desync"
        );
        assert_eq!(
            error("log,never-closed=explode"),
            "directive 2 (byte 4) `never-closed=explode`: unknown action `explode`; accepted: off, count, log, panic, \
             abort"
        );
        assert_eq!(
            error("tick=10"),
            "directive 1 (byte 0) `tick=10`: `10` is no duration; accepted: a number with its unit, as in `10s`, \
             `500ms` or `2m`, or `off`"
        );
        assert_eq!(
            error("scope-budget=10k"),
            "directive 1 (byte 0) `scope-budget=10k`: `10k` is no number of handles; accepted: a whole number, as in \
             `scope-budget=10000`, or an action"
        );
        for wrong in ["0", "65536", "many", "-1"] {
            assert_eq!(
                error(&format!("sites={wrong}")),
                format!(
                    "directive 1 (byte 0) `sites={wrong}`: `{wrong}` is no number of sites; accepted: a whole number from 1 to \
                     65535, as in `sites=1024`"
                )
            );
        }
        assert_eq!(
            error("sites"),
            "directive 1 (byte 0) `sites`: needs a value; accepted: `sites=...`, as in `sites=1024`"
        );
        assert_eq!(
            error("missing-scope"),
            "directive 1 (byte 0) `missing-scope`: needs a value; accepted: `missing-scope=...`, as in \
             `missing-scope=log`"
        );
        assert_eq!(
            error("tick"),
            "directive 1 (byte 0) `tick`: needs a value; accepted: `tick=...`, as in `tick=10s`"
        );
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
                "`{word}` is no file name of an add-on; accepted: one without its folder, as in `addon:libtimers.so=log`"
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
        assert_eq!(
            error("log,addon"),
            format!("directive 2 (byte 4) `addon`: {}", file(""))
        );
        assert_eq!(
            error("addon:liba.so"),
            "directive 1 (byte 0) `addon:liba.so`: needs a value; accepted: `addon:liba.so=...`, as in `addon:liba.so=log`"
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
    fn the_number_of_sites_is_taken_over() {
        let config = Config::new().with_directives("sites=65535").unwrap();
        assert_eq!(config.sites_of(), 65_535);
    }

    #[test]
    fn nothing_of_a_wrong_list_is_applied() {
        let config = Config::new().action(Action::Count);
        assert!(config.with_directives("log,tick=1s,nonsense").is_err());
        assert_eq!(config, Config::new().action(Action::Count));
    }

    #[test]
    fn help_lists_each_directive_with_its_value() {
        let config = Config::new()
            .action(Action::Log)
            .rule(Rule::MissingScope, Action::Abort)
            .addon("libb.so", Action::Count);
        assert_eq!(
            Help(&config).to_string(),
            "\
handleguard: HANDLEGUARD=<directive>,<directive>,... (later ones win, and all win over the program's code)
  off|count|log|panic|abort          sets the action of every rule but advice
  missing-scope=<action>             now abort   a callback starts, and no handle scope was opened since the turn began
  outer-growth=<action>              now log     a callback or turn ends with more handles in the enclosing scope than it found
  scope-budget=<action>              now log     a scope still open holds more handles than scope-budget=<number>
  sealed=<action>                    now log     a handle is made with no scope at all, or under a turn that this directive seals
  out-of-order=<action>              now log     a scope closes that is not the innermost; or twice
  never-closed=<action>              now log     a turn ends, or an isolate ends or is left, with scopes open
  wrong-thread=<action>              now log     an isolate is used or left on a thread that has not entered it
  wrong-isolate=<action>             now log     an isolate is used or left while another one is entered
  in-gc=<action>                     now log     a callback or scope starts in a GC callback, a first-pass weak callback or teardown
  redundant-scope=<action>           now off     advice: a place whose scopes never held a handle
  desync=<action>                    now log     the record and the engine's level disagree: our own limit
  addon:<file>=<action>              now         the action of every rule in calls of one add-on, as in addon:libtimers.so=log
    addon:libb.so                    now count
  scope-budget=<number>              now none    handles that a scope may hold
  sites=<number>                     now 1024    distinct causes that are kept, of about 2 KiB each
  tick=<duration>                    now 10s     time between reports, as in 10s or 500ms, or off
  strict                             now off     judges each callback as if it had come straight from the loop
  require-hooks                      now off     ends the process with status 2 at its start, unless every hook took effect
  full-stack                         now off     shows every frame of a stack, the checker's and the engine's too
  help                               prints this
"
        );
    }
}
