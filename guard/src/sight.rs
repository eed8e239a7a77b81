//! What the checker says of itself: the start-up line, and the hint about turns.

use crate::trace::HOW;
use crate::{Config, Dialect, Rule, Sight};
use std::fmt;

/// The start-up line: that it is on, which rules with which actions, what it can see and what it can't.
pub(crate) struct Line<'a> {
    pub(crate) config: &'a Config,
    pub(crate) sight: &'a Sight,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on:")?;
        for rule in Rule::ALL {
            write!(f, " {rule}={}", self.config.action_of(rule))?;
        }
        let parts = [
            ("level", &self.sight.level),
            ("handles", &self.sight.handles),
            ("hooks", &self.sight.hooks),
        ];
        write!(f, "; sees stacks ({HOW})")?;
        for (name, seen) in parts {
            if let Ok(how) = seen {
                write!(f, ", {name} ({how})")?;
            }
        }
        let mut blind = parts
            .iter()
            .filter_map(|(name, seen)| seen.as_ref().err().map(|why| (name, why)));
        if let Some((name, why)) = blind.next() {
            write!(f, "; does not see {name} ({why})")?;
        }
        for (name, why) in blind {
            write!(f, ", {name} ({why})")?;
        }
        if self.sight.level.is_err() && self.sight.handles.is_err() {
            f.write_str("; blind to the engine: judged by guards alone")?;
        }
        Ok(())
    }
}

/// For a host that calls into JavaScript and never marked a turn.
pub(crate) struct Hint(pub(crate) &'static Dialect);

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
