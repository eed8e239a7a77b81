//! The table of directives. The parser, the errors, the help text and the tests of the documentation read it: a new directive
//! is one entry here and one field in [`Config`].

use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::config::settings::Config;
use std::time::Duration;

/// One directive, as a user writes it and as the documentation describes it.
pub(super) struct Directive {
    /// The word before `=` or `:`. A placeholder where that word is the name of an action or of a rule.
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// What it does, in one line.
    pub(super) meaning: &'static str,
    /// Directives of this form, for the documentation. Empty where the form itself is the only one.
    pub(super) examples: &'static [&'static str],
}

/// How a directive is written, and how it reads and changes a configuration.
pub(super) enum Form {
    /// The name of an action alone: `log`.
    EveryRule,
    /// The name of a rule, and an action: `missing-scope=log`.
    OneRule,
    /// A file name after the directive's, and an action: `addon:libtimers.so=log`.
    Addon {
        /// What a file name must be, after "expected".
        expected: &'static str,
    },
    /// The directive's name, and a value: `tick=10s`.
    Value {
        placeholder: &'static str,
        /// What the value is, after "is not".
        noun: &'static str,
        /// What the value must be, after "expected".
        expected: &'static str,
        /// The configuration with the value; `None` if it is not one.
        parse: fn(Config, &str) -> Option<Config>,
        /// The current value.
        show: fn(&Config) -> String,
    },
    /// The directive's name alone: `strict`.
    Flag {
        set: fn(Config, bool) -> Config,
        is_set: fn(&Config) -> bool,
    },
    /// The directive's name alone, which asks for the help text and changes nothing.
    Help,
}

/// All directives, in the order in which errors, help text and documentation list them.
pub(super) static DIRECTIVES: [Directive; 10] = [
    Directive {
        name: "<action>",
        form: Form::EveryRule,
        meaning: "sets the action of every rule but advice",
        examples: &[],
    },
    Directive {
        name: "<rule>",
        form: Form::OneRule,
        meaning: "sets the action of one rule",
        examples: &["missing-scope=abort"],
    },
    Directive {
        name: "addon",
        form: Form::Addon {
            expected: "the add-on's file without its folder, as in `addon:libtimers.so=log`",
        },
        meaning: "sets the action of every rule in calls of one add-on",
        examples: &["addon:libtimers.so=log"],
    },
    Directive {
        name: Rule::ScopeBudget.name(),
        form: Form::Value {
            placeholder: "<number>",
            noun: "a number of handles",
            expected: "a whole number, as in `scope-budget=10000`, or an action",
            parse: |config, value| Some(config.scope_budget(Some(value.parse().ok()?))),
            show: |config| match config.scope_budget_of() {
                Some(handles) => handles.to_string(),
                None => "none".to_owned(),
            },
        },
        meaning: "sets how many handles a scope may hold",
        examples: &["scope-budget=10000"],
    },
    Directive {
        name: "sites",
        form: Form::Value {
            placeholder: "<number>",
            noun: "a number of sites",
            expected: "a whole number from 1 to 65535, as in `sites=4096`",
            parse: |config, value| Some(config.sites(value.parse().ok()?)),
            show: |config| config.sites_of().to_string(),
        },
        meaning: "sets how many distinct causes are kept, at about 2 KiB each",
        examples: &["sites=4096"],
    },
    Directive {
        name: "tick",
        form: Form::Value {
            placeholder: "<duration>",
            noun: "a time between reports",
            expected: "a number with a unit, `100ms` or more, as in `10s` or `2m`, or `off`",
            parse: |config, value| {
                let tick = match value {
                    "off" => Duration::ZERO,
                    _ => humantime::parse_duration(value).ok()?,
                };
                Some(config.tick(tick)).filter(Config::has_valid_tick)
            },
            show: |config| match config.tick_interval() {
                Duration::ZERO => "off".to_owned(),
                tick => humantime::format_duration(tick).to_string(),
            },
        },
        meaning: "sets the time between periodic reports, 100 ms or more",
        examples: &["tick=500ms", "tick=off"],
    },
    flag(
        "strict",
        "checks each callback as if the event loop had called it, which finds callbacks that only a JavaScript caller's \
         scope keeps clean",
        Config::strict,
        Config::is_strict,
    ),
    flag(
        "require-hooks",
        "ends the process with status 2 at its start unless every hook took effect",
        Config::require_hooks,
        Config::requires_hooks,
    ),
    flag(
        "full-stack",
        "shows every frame of a stack, the checker's own and the engine's too",
        Config::full_stack,
        Config::is_full_stack,
    ),
    Directive {
        name: "help",
        form: Form::Help,
        meaning: "prints every directive with its current value",
        examples: &[],
    },
];

const fn flag(
    name: &'static str,
    meaning: &'static str,
    set: fn(Config, bool) -> Config,
    is_set: fn(&Config) -> bool,
) -> Directive {
    Directive {
        name,
        form: Form::Flag { set, is_set },
        meaning,
        examples: &[],
    }
}

impl Directive {
    /// The directive of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        DIRECTIVES.iter().find(|directive| directive.name == name)
    }

    /// How it is written, as in `tick=<duration>`.
    pub(super) fn syntax(&self) -> String {
        let name = self.name;
        match self.form {
            Form::EveryRule => Action::ALL.map(Action::name).join(", "),
            Form::OneRule => format!("{name}=<action>"),
            Form::Addon { .. } => format!("{name}:<file>=<action>"),
            Form::Value { placeholder, .. } => format!("{name}={placeholder}"),
            Form::Flag { .. } | Form::Help => name.to_owned(),
        }
    }

    /// What it does, with its examples in backquotes.
    pub(super) fn summary(&self) -> String {
        let examples = self.examples.iter().map(|example| format!("`{example}`"));
        match &examples.collect::<Vec<_>>()[..] {
            [] => self.meaning.to_owned(),
            examples => format!("{}, as in {}", self.meaning, examples.join(" or ")),
        }
    }
}
