//! The lines that the checker prints about itself: the start-up line, and the hint about turns.

use crate::config::rule::Rule;
use crate::config::settings::Config;
use crate::describe::handles::Handles;
use crate::detect::outermost::Outermost;
use crate::engine::capabilities::Capabilities;
use crate::engine::ids::IsolateId;
use crate::engine::wording::Wording;
use crate::place::Place;
use crate::unwind::capture::UnwindMethod;
use std::fmt;

/// The start-up line: the action of each rule, and what the checker can and cannot see.
pub(crate) struct StartupLine<'a> {
    pub(crate) config: &'a Config,
    pub(crate) unwind_method: UnwindMethod,
    pub(crate) capabilities: &'a Capabilities,
}

impl fmt::Display for StartupLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on:")?;
        for rule in Rule::ALL {
            write!(f, " {rule}={}", self.config.action_of(rule))?;
        }
        let parts = [
            ("level", &self.capabilities.level),
            ("handles", &self.capabilities.handles),
            ("hooks", &self.capabilities.hooks),
        ];
        write!(f, "; sees stacks ({})", self.unwind_method.describe())?;
        for (name, capability) in parts {
            if let Ok(how) = capability {
                write!(f, ", {name} ({how})")?;
            }
        }
        let mut unseen = parts
            .iter()
            .filter_map(|(name, capability)| Some((name, capability.as_ref().err()?)));
        if let Some((name, why)) = unseen.next() {
            write!(f, "; does not see {name} ({why})")?;
        }
        for (name, why) in unseen {
            write!(f, ", {name} ({why})")?;
        }
        if self.capabilities.level.is_err() && self.capabilities.handles.is_err() {
            f.write_str("; the engine's counts cannot be read: only what guards and hooks record is checked")?;
        }
        Ok(())
    }
}

/// The hint to a host that calls into JavaScript and has never marked a turn.
pub(crate) struct Hint(pub(crate) &'static Wording);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hint: this program calls into JavaScript and marks no turn, so a scope opened outside its event loop hides \
             missing scopes from handleguard; mark each pass of the loop, each request or each task: `{}`",
            self.0.mark_turn
        )
    }
}

/// The hint at the end of an isolate that had no turn, marked or inferred, and whose outermost scope enclosed what it did.
pub(crate) struct OutermostHint {
    pub(crate) isolate: IsolateId,
    pub(crate) outermost: Outermost,
    pub(crate) wording: &'static Wording,
}

impl fmt::Display for OutermostHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outermost {
            kind,
            place,
            begun,
            held,
        } = self.outermost;
        write!(
            f,
            "hint: isolate {} ends without a turn: {kind} {place} held {} at its close, with {begun} scopes and calls begun in it, and no \
             rule could judge whether they leaked; mark each pass of the loop, each request or each task: `{}`",
            self.isolate,
            Handles(held),
            self.wording.mark_turn
        )
    }
}

/// The notice to a host that marks a turn, without an isolate at hand, where none is current.
pub(crate) struct TurnInNoIsolate(pub(crate) Place);

impl fmt::Display for TurnInNoIsolate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "turn {} is not marked: this thread has entered no isolate that a guard or hook has seen",
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::action::Action;
    use crate::describe::scope::ScopeKind;
    use crate::engine::fake::Fake;
    use crate::engine::interface::Engine;

    fn line(level: Result<&str, &str>, handles: Result<&str, &str>) -> String {
        let part = |part: Result<&str, &str>| part.map(str::to_owned).map_err(str::to_owned);
        StartupLine {
            config: &Config::new()
                .action(Action::Log)
                .rule(Rule::MissingScope, Action::Abort),
            unwind_method: UnwindMethod::FramePointers,
            capabilities: &Capabilities {
                level: part(level),
                handles: part(handles),
                hooks: Err("not linked".to_owned()),
            },
        }
        .to_string()
    }

    const RULES: &str = "on: missing-scope=abort outer-growth=log scope-budget=log scope-growth=log sealed=log out-of-order=log never-closed=log wrong-thread=log \
                         wrong-isolate=log in-gc=log redundant-scope=off global-growth=log desync=log; ";

    #[test]
    fn the_start_up_line_says_what_is_seen_and_what_is_not() {
        assert_eq!(
            line(Ok("calibrated"), Ok("exact")).strip_prefix(RULES),
            Some(
                "sees stacks (by frame pointers), level (calibrated), handles (exact); does not see hooks (not linked)"
            )
        );
        assert_eq!(
            line(Err("no match"), Ok("exact")).strip_prefix(RULES),
            Some(
                "sees stacks (by frame pointers), handles (exact); does not see level (no match), hooks (not linked)"
            )
        );
    }

    #[test]
    fn the_start_up_line_says_that_the_engine_counts_nothing() {
        assert_eq!(
            line(Err("no match"), Err("no symbol")).strip_prefix(RULES),
            Some(
                "sees stacks (by frame pointers); does not see level (no match), handles (no symbol), hooks (not linked); the engine's \
                 counts cannot be read: only what guards and hooks record is checked"
            )
        );
    }

    #[test]
    fn a_turn_that_no_isolate_has_is_named_by_its_place() {
        let notice = TurnInNoIsolate(Place::here("request")).to_string();
        assert_eq!(
            notice.replace(&format!("{}:{}", file!(), line!() - 2), "FILE:LINE"),
            "turn `request` at FILE:LINE:38 is not marked: this thread has entered no isolate that a guard or hook has seen"
        );
    }

    #[test]
    fn the_hint_at_the_end_says_what_was_not_judged() {
        let hint = OutermostHint {
            isolate: IsolateId(0xabc),
            outermost: Outermost {
                kind: ScopeKind::HandleScope,
                place: Place::code(0x10, 0),
                begun: 300,
                held: 601,
            },
            wording: Fake::WORDING,
        };
        assert_eq!(
            hint.to_string(),
            "hint: isolate 0xabc ends without a turn: HandleScope 0x10 held 601 handles at its close, with 300 scopes and calls begun \
             in it, and no rule could judge whether they leaked; mark each pass of the loop, each request or each task: `let _turn = \
             arena.turn();`"
        );
    }

    #[test]
    fn the_hint_says_what_is_hidden_and_how_to_mark_a_turn() {
        assert_eq!(
            Hint(Fake::WORDING).to_string(),
            "hint: this program calls into JavaScript and marks no turn, so a scope opened outside its event loop hides \
             missing scopes from handleguard; mark each pass of the loop, each request or each task: `let _turn = \
             arena.turn();`"
        );
    }
}
