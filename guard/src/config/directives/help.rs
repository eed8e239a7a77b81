use crate::config::directives::table::{DIRECTIVES, Form};
use crate::config::rule::Rule;
use crate::config::settings::Config;
use std::fmt;

/// The text of `HANDLEGUARD=help`: each directive with its current value and its meaning.
pub(crate) struct Help<'a>(pub(crate) &'a Config);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        writeln!(
            f,
            "handleguard: HANDLEGUARD=<directive>,<directive>,... (a directive overrides those before it, and all override the \
             program's own configuration)"
        )?;
        for directive in &DIRECTIVES {
            let syntax = directive.syntax();
            // The backquotes are for the tables in Markdown, which have the same text.
            let summary = directive.summary().replace('`', "");
            match &directive.form {
                Form::EveryRule | Form::Help => writeln!(f, "  {syntax:<34} {summary}")?,
                Form::OneRule => {
                    for rule in Rule::ALL {
                        let syntax = format!("{rule}=<action>");
                        row(f, &syntax, config.action_of(rule).name(), rule.meaning())?;
                    }
                }
                Form::Addon { .. } => {
                    let none = if config.addons().next().is_none() {
                        "none"
                    } else {
                        ""
                    };
                    row(f, &syntax, none, &summary)?;
                    for (file, action) in config.addons() {
                        let name = format!("  {}:{file}", directive.name);
                        writeln!(f, "  {name:<34} now {action}")?;
                    }
                }
                Form::Value { show, .. } => row(f, &syntax, &show(config), &summary)?,
                Form::Flag { is_set, .. } => {
                    let now = if is_set(config) { "on" } else { "off" };
                    row(f, &syntax, now, &summary)?;
                }
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, syntax: &str, now: &str, meaning: &str) -> fmt::Result {
    writeln!(f, "  {syntax:<34} now {now:<7} {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::action::Action;

    #[test]
    fn help_lists_each_directive_with_its_value() {
        let config = Config::new()
            .action(Action::Log)
            .rule(Rule::MissingScope, Action::Abort)
            .addon("libb.so", Action::Count)
            .strict(true);
        let rules = Rule::ALL.map(|rule| {
            let action = config.action_of(rule);
            format!(
                "  {:<34} now {action:<7} {}\n",
                format!("{rule}=<action>"),
                rule.meaning()
            )
        });
        assert!(rules[0].starts_with("  missing-scope=<action>             now abort   a "));
        assert_eq!(
            Help(&config).to_string().replace(&rules.concat(), "(RULES)\n"),
            "\
handleguard: HANDLEGUARD=<directive>,<directive>,... (a directive overrides those before it, and all override the program's own configuration)
  off, count, log, panic, abort      sets the action of every rule but advice
(RULES)
  addon:<file>=<action>              now         sets the action of every rule in calls of one add-on, as in addon:libtimers.so=log
    addon:libb.so                    now count
  scope-budget=<number>              now none    sets how many handles a scope may hold, as in scope-budget=10000
  sites=<number>                     now 1024    sets how many distinct causes are kept, at about 2 KiB each, as in sites=4096
  tick=<duration>                    now 10s     sets the time between periodic reports, 100 ms or more, as in tick=500ms or tick=off
  strict                             now on      checks each callback as if the event loop had called it, which finds callbacks that only a JavaScript caller's scope keeps clean
  require-hooks                      now off     ends the process with status 2 at its start unless every hook took effect
  full-stack                         now off     shows every frame of a stack, the checker's own and the engine's too
  help                               prints every directive with its current value
"
        );
    }

    #[test]
    fn help_says_that_no_add_on_has_an_action_of_its_own() {
        let help = Help(&Config::new()).to_string();
        let line = help.lines().find(|line| line.contains("addon:")).unwrap();
        assert_eq!(
            line,
            "  addon:<file>=<action>              now none    sets the action of every rule in calls of one add-on, as in \
             addon:libtimers.so=log"
        );
    }
}
