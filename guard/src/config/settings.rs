use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::foreign_text::foreign_text;
use std::num::NonZeroU16;
use std::time::Duration;

/// The environment variable with directives that win over the program's own configuration. A program that runs with more
/// rights than the user who started it, as a set-user-id program does, ignores the variable and prints so once.
pub const VARIABLE: &str = "HANDLEGUARD";

/// The default of [`Config::sites`].
// In a loom model, each slot of the table is five atomics to explore.
const DEFAULT_SITES: usize = if cfg!(all(test, loom)) { 1 } else { 1024 };

/// The shortest time between periodic reports. A report at each turn of a loop would be work for the program that is watched.
const MIN_TICK: Duration = Duration::from_millis(100);

/// The configuration of the checker: the action of each rule, and the settings.
///
/// ```
/// use handleguard::{Action, Config, Rule};
/// use std::time::Duration;
///
/// let config = Config::new()
///     .action(Action::Log)
///     .rule(Rule::MissingScope, Action::Abort)
///     .tick(Duration::from_secs(60));
/// assert_eq!(config.action_of(Rule::OuterGrowth), Action::Log);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    actions: [Action; Rule::ALL.len()],
    tick: Duration,
    full_stack: bool,
    strict: bool,
    require_hooks: bool,
    scope_budget: Option<u64>,
    seals_turns: bool,
    /// File names with their actions; each name at most once.
    addons: Vec<(String, Action)>,
    sites: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults: the action of this build ([`Action::default_for_build`]) for each rule that is not advice, 1024 sites, and a
    /// tick of 10 s. Advice is `off`, or `log` at most: [`Rule`] says which.
    pub const fn new() -> Self {
        Self {
            actions: all(Action::default_for_build()),
            tick: Duration::from_secs(10),
            full_stack: false,
            strict: false,
            require_hooks: false,
            scope_budget: None,
            seals_turns: false,
            addons: Vec::new(),
            sites: DEFAULT_SITES,
        }
    }

    /// Sets the action of every rule that is not advice ([`Rule::is_advice`]). Advice is off, or has this action up to
    /// [`Action::Log`]: [`Rule`] says which. Turns are not sealed.
    pub fn action(mut self, action: Action) -> Self {
        self.actions = all(action);
        self.seals_turns = false;
        self
    }

    /// Sets the action of one rule. For [`Rule::Sealed`], each turn is sealed unless the action is [`Action::Off`].
    pub fn rule(mut self, rule: Rule, action: Action) -> Self {
        self.actions[index(rule)] = action;
        if rule == Rule::Sealed {
            self.seals_turns = action != Action::Off;
        }
        self
    }

    /// Sets the action of every rule in calls of one add-on, named by its file, as in `libtimers.so`. It overrides the actions
    /// of the rules. See [`addon`](crate::addon()).
    pub fn addon(mut self, file: impl Into<String>, action: Action) -> Self {
        // As `AddonFunction` keeps it.
        let file = foreign_text(&file.into());
        self.addons.retain(|(other, _)| *other != file);
        self.addons.push((file, action));
        self
    }

    /// The action that [`addon`](Self::addon) set for this file name, if any.
    pub fn addon_action_of(&self, file: &str) -> Option<Action> {
        self.action_of_addon(&foreign_text(file))
    }

    /// As [`addon_action_of`](Self::addon_action_of), for a file name that is harmless already.
    pub(crate) fn action_of_addon(&self, file: &str) -> Option<Action> {
        self.addons()
            .find(|(other, _)| *other == file)
            .map(|(_, action)| action)
    }

    /// The file name and the action of each add-on that has an action of its own.
    pub fn addons(&self) -> impl Iterator<Item = (&str, Action)> {
        self.addons
            .iter()
            .map(|(file, action)| (file.as_str(), *action))
    }

    /// Sets the time between periodic reports: 100 ms or more, or zero, which turns them off. [`try_init`](Self::try_init)
    /// refuses any other.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Sets whether reports show every frame of a stack: the checker's own, the engine's one by one, and the runtime's below `main`.
    pub fn full_stack(mut self, full: bool) -> Self {
        self.full_stack = full;
        self
    }

    /// Sets whether each callback is checked as if the event loop had called it. This finds a callback that is clean only because
    /// a JavaScript caller's scope encloses it; code that relies on its caller's scope by design is reported too. Native code
    /// counts if it is a function that JavaScript calls. What the engine calls on its own account, such as a hook for promises or
    /// for `import.meta`, is never called by the loop and not reported. The names of the engine's functions on the stack
    /// decide which of the two it is: a program without symbols gets no report that only strict mode makes.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets whether the process ends at its start, with status 2, unless every hook took effect. With every hook in effect, code
    /// that uses no guard is checked too.
    pub fn require_hooks(mut self, require: bool) -> Self {
        self.require_hooks = require;
        self
    }

    /// Sets how many handles a scope may hold. A scope that holds more violates [`Rule::ScopeBudget`] while it is still open.
    ///
    /// `None`, the default, is no limit: a number that is right for one scope is a leak in another. A budget costs a count of
    /// handles for each guard.
    pub fn scope_budget(mut self, handles: Option<u64>) -> Self {
        self.scope_budget = handles;
        self
    }

    /// Sets how many distinct causes ([sites](crate::Site)) are kept, 1024 by default. Violations of further causes are counted by
    /// counted. A site with a stack of 128 frames takes about 2 KiB, so the default table takes about 2 MiB once it is full.
    pub fn sites(mut self, sites: NonZeroU16) -> Self {
        self.sites = usize::from(sites.get());
        self
    }

    /// How many distinct causes are kept.
    pub fn sites_of(&self) -> usize {
        self.sites
    }

    /// How many handles a scope may hold; `None` if there is no limit.
    #[inline]
    pub fn scope_budget_of(&self) -> Option<u64> {
        self.scope_budget
    }

    /// Whether turns are sealed.
    #[inline]
    pub fn seals_turns(&self) -> bool {
        self.seals_turns
    }

    /// Whether each callback is checked as if the event loop had called it.
    #[inline]
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether the process ends at its start unless every hook took effect.
    pub fn requires_hooks(&self) -> bool {
        self.require_hooks
    }

    /// Whether reports show every frame of a stack.
    pub fn is_full_stack(&self) -> bool {
        self.full_stack
    }

    /// The action of one rule.
    pub fn action_of(&self, rule: Rule) -> Action {
        self.actions[index(rule)]
    }

    /// Whether the time between periodic reports is zero or long enough.
    pub(crate) fn has_valid_tick(&self) -> bool {
        self.tick.is_zero() || self.tick >= MIN_TICK
    }

    /// The time between periodic reports. Zero if there are none.
    pub fn tick_interval(&self) -> Duration {
        self.tick
    }

    /// Whether any rule or add-on has an action other than [`Action::Off`].
    pub fn is_on(&self) -> bool {
        let mut actions = self
            .actions
            .iter()
            .chain(self.addons.iter().map(|(_, action)| action));
        actions.any(|&action| action != Action::Off)
    }
}

const fn all(action: Action) -> [Action; Rule::ALL.len()] {
    let mut actions = [action; Rule::ALL.len()];
    let mut at = 0;
    while at < actions.len() {
        actions[at] = Rule::ALL[at].unnamed(action);
        at += 1;
    }
    actions
}

fn index(rule: Rule) -> usize {
    Rule::ALL
        .iter()
        .position(|&other| other == rule)
        .expect("[handleguard internal bug] a rule is missing in `Rule::ALL`")
}
